"""A new run that starts from a trained network: fine-tuning."""

from pathlib import Path
from typing import Any, NamedTuple

from diffkit_trainer import Images
from diffkit_trainer.data import Size, source_kind

from diffkit_cli.bundled import name_of
from diffkit_cli.errors import UsageError
from diffkit_cli.paths import at_step
from diffkit_cli.run_config import Origin, RunConfig
from diffkit_cli.sampling.loading import open_model, require_denoiser
from diffkit_cli.sampling.model import DiffusionModel
from diffkit_cli.terminal.console import console, listed, plural, warn
from diffkit_cli.training.options import CLASS_DROPOUT, Given, TrainOptions
from diffkit_cli.training.start.resolve import resolve_from

__all__ = ["Source", "open_source"]


class Source(NamedTuple):
    """The network that a run starts from: its name in messages, the model, and its origin."""

    name: str
    model: DiffusionModel
    origin: Origin

    @property
    def config(self) -> RunConfig:
        """The config of its run."""
        return self.model.config

    @property
    def weights(self) -> dict[str, Any]:
        """Its weights by name."""
        weights: dict[str, Any] = self.model.network.state_dict()
        return weights

    def size_of(self, data: str) -> Size | None:
        """The size that images are resized to by default; None for arrays, which keep theirs."""
        if len(self.config.shape) != 3 or source_kind(data) == "array":
            return None
        _, height, width = self.config.shape
        return height if height == width else (height, width)

    def resolve(self, given: Given, images: Images, size: Size | None) -> TrainOptions:
        """The options of the run: those that were given, over those of the network's run.

        size: what the images were resized to, None for not at all. Raises UsageError for images and options that do not fit the
        network.
        """
        channels, *sides = images.shape
        own, *space = self.config.shape
        if len(sides) != len(space):
            shapes = [" x ".join(map(str, each)) for each in (self.config.shape, images.shape)]
            raise UsageError(
                f"{self.name} takes samples {shapes[0]}, got {shapes[1]}: the axes differ; start a run without --from"
            )
        if channels != own:
            found = f"the images have {plural(channels, 'channel')}, the network of {self.name} {own}"
            raise UsageError(f"{found}: convert the images, or start a run without --from")
        if images.conditions.keys() != self.config.conditions.keys():
            names = [", ".join(each) or "nothing" for each in (self.config.conditions, images.conditions)]
            found = f"the network of {self.name} is conditioned on {names[0]}, the data has {names[1]}"
            raise UsageError(f"{found}: give the same by --columns and --given, or start a run without --from")
        fixed = self.config.network.get("size", sides)  # of a linear part
        if list(fixed) != sides:
            raise UsageError(f"--size: the network of {self.name} takes {fixed[1]}x{fixed[0]} only, got {sides[1]}x{sides[0]}")
        return resolve_from(self.config, given | {"class_dropout": self._class_dropout(given, images)}, size, self.name)

    def warn_of_classes(self, images: Images) -> None:
        """Warn of classes that have other names than those that the network has learned."""
        old, new = self.config.data.classes, list(images.classes)
        if self.config.num_classes is not None and old != new:
            warn(f"the classes {listed(old)} become {listed(new)}")

    def _class_dropout(self, given: Given, images: Images) -> float | None:
        count, classes, chosen = self.config.num_classes, images.classes, given.get("class_dropout")
        if count is None:
            if chosen is not None:
                raise UsageError(f"the network of {self.name} takes no classes: leave --classes and class_dropout out")
            return self.config.class_dropout  # of its conditions
        if "class_dropout" in given and chosen is None:
            raise UsageError(f"the network of {self.name} takes classes: leave --no-classes out")
        if len(classes) != count:
            found = f"the images have {plural(len(classes), 'class')}, the network of {self.name} {count}"
            raise UsageError(f"{found}: give images in as many subfolders, one a class")
        if chosen is not None:
            return float(chosen)
        own = self.config.class_dropout
        return own if own is not None else CLASS_DROPOUT if self.config.network.get("null_class", True) else 0.0


def open_source(path: Path, what: str = "fine-tuning") -> Source:
    """The network of --from: the average of a run, RUN or RUN@STEP, or that of an export or an import.

    what: is done with it. Raises as `open_model` and `require_denoiser` do.
    """
    path, step = at_step(path)
    loaded = open_model(path, raw=False, device="cpu", step=step)
    require_denoiser(loaded)
    console.print(
        f"{what} {name_of(path)}, step {loaded.step}: its network, schedule, prediction and normalisation; a new optimiser"
    )
    return Source(name_of(path), loaded.model, Origin(str(path.resolve()), loaded.step, loaded.weights))
