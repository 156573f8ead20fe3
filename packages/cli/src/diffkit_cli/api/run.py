"""Open a run, and sample from it."""

import html
import math
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from diffkit_samplers import Denoise

from diffkit_cli.api.images import GeneratedImages
from diffkit_cli.api.keywords import named_as_keywords, parse_keywords, with_keywords
from diffkit_cli.bundled import DEFAULT
from diffkit_cli.paths import at_step
from diffkit_cli.recipes import register_network
from diffkit_cli.reports.run import describe
from diffkit_cli.sampling.generate import concatenated, generate
from diffkit_cli.sampling.limits import require_memory
from diffkit_cli.sampling.loading import LoadedModel, load_model
from diffkit_cli.sampling.metadata import read_sample_metadata
from diffkit_cli.sampling.model import Conditioning
from diffkit_cli.sampling.plan import make_plan, other_weights
from diffkit_cli.terminal.console import extent, noun, plural

__all__ = ["Run", "open_run"]


class Run:
    """A network of a run with all that sampling needs; `open_run` opens it.

    network: the module. name: "runs/flowers@3000", the run and its training step. step: the training step. shape: (C, H, W) of
    its images. classes: their names, none for an unconditional network. schedule, normalisation: of its training, for samplers of
    your own on `denoiser`.

    >>> from diffkit_cli import open_run
    >>> open_run("digits", device="cpu")
    <the bundled digits network: 8x8, 1 channel, 411,585 parameters, on cpu>
    """

    def __init__(self, loaded: LoadedModel) -> None:
        model = loaded.model
        self._loaded, self.name, self.step, self.network = loaded, loaded.name, loaded.step, model.network
        self.shape, self.schedule, self.normalisation = model.shape, model.schedule, model.normalisation
        self.classes = tuple(model.config.data.classes[: model.config.num_classes or 0])

    @with_keywords
    def sample(
        self,
        n: int | None = None,
        *,
        init: str | Path | None = None,
        like: str | Path | None = None,
        on_progress: Callable[[int, int], object] | None = None,
        **options: Any,
    ) -> GeneratedImages:
        """Generate n images, by default 16: those of `diffkit sample` with the same options, image i from seed + i.

        options: those of `diffkit sample --help`, by name, such as steps, sampler, seed, guidance, size (a side, or height and
        width), batch_size; classes: names or numbers. init: an image to start from, with strength. like: a PNG of
        `diffkit sample` whose options count where none are given. on_progress(done, total) is called after each sampling step.

        Raises TypeError for an unknown option, ValueError for a value out of its range and for what does not fit in memory, each
        in one line; DataError for an image that cannot be read. Warns where `like` was generated with other weights.

        >>> from diffkit_cli import open_run
        >>> open_run("digits", device="cpu").sample(4, steps=5, sampler="heun", seed=1)
        <4 images from the bundled digits network, 5 steps of heun, eta 0, seed 1>
        """
        with named_as_keywords():
            given = parse_keywords({"n": n, **options})
            before = None if like is None else read_sample_metadata(Path(like))
            if before and before.weights != self._loaded.weights:
                warnings.warn(other_weights(Path(str(like)), before, self._loaded), stacklevel=2)
            plan = make_plan(self._loaded, given, init=None if init is None else Path(init), like=before)
            count, way_out = plan.options.n, "generate fewer at a time, or use a smaller size"
            require_memory(plural(count, noun(plan.shape)), count * math.prod(plan.shape), way_out)
            report = on_progress or (lambda done, total: None)
            batches = generate(plan, batch_size=given.get("batch_size"), on_progress=report)
            return GeneratedImages(plan, concatenated([batch.pixels for batch in batches]))

    def denoiser(self, labels: Sequence[int] | None = None, **conditions: Any) -> Denoise:
        """denoise(x_t, t) -> x0 of the network, for the methods and wrappers of diffkit_samplers.

        x_t: (B, *shape), normalised: `normalisation.to_network(pixels)` gives x0, `normalisation.to_pixels(x0)` pixels.
        labels: B numbers of classes, for a network that has them; None for unconditional samples. conditions: by name, arrays
        (B, ...) as the network gets them: of mean 0 and variance 1, NaN where they are missing.

        >>> from diffkit_cli import open_run
        >>> from diffkit_samplers import ddim, seeded
        >>> run = open_run("digits", device="cpu")
        >>> x = run.schedule(1.0).sigma * seeded([7], like=next(run.network.parameters()))((1, *run.shape))
        >>> pixels = run.normalisation.to_pixels(ddim(run.denoiser(), run.schedule, x))
        >>> bool((pixels == run.sample(1, seed=7).pixels).all())
        True
        """
        return self._loaded.model.denoiser_of(Conditioning(labels, conditions))

    def __repr__(self) -> str:
        channels, *space = self.shape
        parameters = sum(parameter.numel() for parameter in self.network.parameters())
        classes = [f"{len(self.classes)} classes"] if self.classes else []
        device = self._loaded.model.like.device
        conditions = [f"conditions {', '.join(config.conditions)}"] if (config := self._loaded.model.config).conditions else []
        facts = [extent(space), plural(channels, "channel"), *classes, *conditions, f"{parameters:,} parameters", f"on {device}"]
        return f"<{self.name}: {', '.join(facts)}>"

    def _repr_html_(self) -> str:
        _, rows, _ = describe(self._loaded.run)
        cells = "".join(f"<tr><td>{html.escape(key)}</td><td>{html.escape(value)}</td></tr>" for key, value in rows)
        return f"<b>{html.escape(self.name)}</b><table>{cells}</table>"


def open_run(
    run: str | Path | None = None,
    *,
    step: int | None = None,
    raw: bool = False,
    device: str = "auto",
    network: str | None = None,
) -> Run:
    """Open a run folder, RUN@STEP, or a file of `diffkit export`; or a bundled network, "fashion" (the default) or "digits".

    step: of the checkpoint, by default the newest that verifies. raw: the raw weights, not their moving average. device: "auto",
    "cpu", "cuda", "cuda:1", "mps". network: "module:function" of a network of your own, as `--network` takes it. Raises RunError
    for a run or checkpoint that is missing or damaged, ValueError for a file without the weights or the step, and for an unknown
    device. Warns of damaged checkpoints that are skipped.

    >>> run = open_run(device="cpu")
    >>> images = run.sample(2, steps=4, classes=["sneaker", "bag"])
    >>> images.pixels.shape
    torch.Size([2, 1, 28, 28])
    """
    with named_as_keywords():
        if network is not None:
            register_network(network)
        path, step = at_step(DEFAULT if run is None else Path(run), step)
        loaded = load_model(path, raw=raw, device=device, step=step)
    for warning in loaded.warnings:
        warnings.warn(f"{warning}; using step {loaded.step}", stacklevel=2)
    return Run(loaded)
