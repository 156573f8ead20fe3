"""What `diffkit tune` reports: each way to sample in few steps, its distance to a fine solution, and its KID."""

import math
from collections.abc import Callable, Mapping
from statistics import fmean, stdev
from typing import Any, NamedTuple

from diffkit_trainer import DataError, kernel_distance, learned_features, split_dataset

from diffkit_cli.reports.evaluation import real_images
from diffkit_cli.run_config import RunConfig
from diffkit_cli.sampling.few_steps import FewSteps
from diffkit_cli.terminal.console import Table, console, table
from diffkit_cli.time_lists import times_in

__all__ = ["Kid", "kid_scorer", "preferred", "table_of_ways"]

BLOCKS = 10


class Kid(NamedTuple):
    """The KID of samples, and that of each of ten parts of them, for its error."""

    value: float
    parts: list[float]

    def surely_below(self, other: "Kid") -> bool:
        """Whether it is lower by two standard errors of the difference, for samples of the same noises.

        >>> Kid(0.1, [0.1, 0.3]).surely_below(Kid(0.3, [0.3, 0.5])), Kid(0.1, [0.1, 0.3]).surely_below(Kid(0.2, [0.5, 0.1]))
        (True, False)
        """
        differences = [b - a for a, b in zip(self.parts, other.parts, strict=True)]
        return bool(fmean(differences) > 2 * stdev(differences) / len(differences) ** 0.5)


def preferred(ways: Mapping[str, FewSteps], kids: Mapping[str, Kid]) -> str:
    """The name of the way to take: the nearest to the fine solution, unless the KID of another one is surely lower."""
    nearest = min(ways, key=lambda name: ways[name].error)
    better = [name for name, kid in kids.items() if kid.surely_below(kids[nearest])]
    return min(better, key=lambda name: kids[name].value, default=nearest)


def kid_scorer(config: RunConfig, n: int) -> tuple[Callable[[Any], Kid], int] | None:
    """A function from n samples to their KID against the run's data, and n or the number of its reference images if that is less.

    None, with a line that says why, where the run has no images to compare with.
    """
    source = config.data.source
    try:
        if not source or config.conditions:
            raise DataError("the run names no training data" if not source else "its samples have conditions")
        images = real_images(source, config.shape)
        split = split_dataset(images, fraction=config.held_out)
    except DataError as error:
        console.print(f"KID is left out: {error}")
        return None
    with console.status("training a feature network"):
        features = learned_features(images, split)
        reference = features(images.pixels[split.reference[:n]])

    def score(pixels: Any) -> Kid:
        found = features(pixels)
        return Kid(kernel_distance(found, reference), [kernel_distance(part, reference) for part in found.tensor_split(BLOCKS)])

    return score, len(reference)


def table_of_ways(ways: Mapping[str, FewSteps], kids: Mapping[str, Kid]) -> Table:
    """The table of the ways to sample, by their names."""
    shown = table("", "sampler", "eta", "spacing", "distance", *(["KID x 1000"] if kids else []))
    for name, way in ways.items():
        spacing = way.spacing if times_in(way.spacing) is None else "tuned times"
        error = f"{way.error:.4f}" if math.isfinite(way.error) else ""
        kid = [f"{1000 * kids[name].value:.2f}"] if kids else []
        shown.add_row(name, way.sampler, f"{way.eta:g}", spacing, error, *kid)
    return shown
