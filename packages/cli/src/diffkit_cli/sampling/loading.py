"""From a run folder, or an exported file, to its model."""

from pathlib import Path
from typing import Any, NamedTuple

from diffkit_schedules import Schedule
from diffkit_trainer import load, pick_device, read_export, read_schedule, weights_hash
from diffkit_trainer.files import printable
from diffkit_unet import keep_memory

from diffkit_cli.bundled import BUNDLED, name_of
from diffkit_cli.errors import UsageError
from diffkit_cli.networks import network_of, outline_of
from diffkit_cli.paths import at_step, export_file
from diffkit_cli.run_config import RunConfig
from diffkit_cli.sampling.model import DiffusionModel
from diffkit_cli.sampling.tuned import with_tuned
from diffkit_cli.terminal.console import console, plural, warn

__all__ = ["LoadedModel", "load_model", "load_worse", "open_model", "require_denoiser"]


class LoadedModel(NamedTuple):
    """A model and where it comes from: the run, the training step, the hash of its weights, whether they are the raw ones."""

    model: DiffusionModel
    run: Path
    step: int
    weights: str
    raw: bool
    warnings: list[str]

    @property
    def name(self) -> str:
        """The name of the network in messages: "the bundled digits network", or "runs/flowers@3000", a run and its step."""
        without_steps = self.run in BUNDLED.values() or self.model.config.imported is not None
        return name_of(self.run) if without_steps else f"{self.run}@{self.step}"

    @property
    def short_name(self) -> str:
        """The name of the run's folder or file, without the folders above it."""
        return name_of(self.run) if self.run in BUNDLED.values() else printable(self.run.resolve().name)

    def metadata(self) -> dict[str, Any]:
        """The metadata of an image that describe the model that generated it."""
        return {"weights": self.weights, "step": self.step, "raw": self.raw}


def open_model(run: Path, *, raw: bool, device: str, step: int | None = None) -> LoadedModel:
    """The model of a run, see `load_model`; warns of damaged checkpoints that were skipped.

    From then on the process keeps its memory: sampling takes 5 to 15% less processor time.
    """
    keep_memory()
    with console.status(f"loading {name_of(run)}"):
        loaded = load_model(run, raw=raw, device=device, step=step)
    for warning in loaded.warnings:
        warn(f"{warning}; using step {loaded.step}")
    return loaded


def load_model(run: Path, *, raw: bool, device: str, step: int | None = None) -> LoadedModel:
    """The model of a run, of its newest checkpoint that verifies, or of a file of `diffkit export`.

    raw: the raw weights, not their moving average. step: that of the checkpoint. Raises RunError for a run or checkpoint that is
    missing or damaged, UsageError for a file that has the average or another step only.
    """
    found: list[tuple[RunConfig, Schedule]] = []

    def expected(document: dict[str, Any]) -> Any:
        config = RunConfig.of(document)
        found.append((config, read_schedule(config.schedule)))
        return outline_of(config.network).state_dict()

    where, path = pick_device(device), export_file(run) or run
    if path.is_file():
        weights, _, at, has_raw = read_export(path, expected)
        warnings = list[str]()
    else:
        has_raw = raw
        at, _, weights, warnings = load(path, "model" if raw else "ema", expected, step)
    if raw and not has_raw:
        raise UsageError(f"--raw: {name_of(run)} has the moving average only: leave --raw out")
    if step not in (None, at):
        raise UsageError(f"--step {step}: {name_of(run)} has the network of step {at} only: leave --step out")
    config, schedule = found[-1]
    config = with_tuned(config, run)
    network = network_of(config.network)
    network.load_state_dict(weights)
    model = DiffusionModel(network.to(where).eval(), schedule, config)
    return LoadedModel(model, run, at, weights_hash(weights), has_raw, warnings)


def require_denoiser(loaded: LoadedModel) -> None:
    """Raises UsageError for a distilled network, which is no denoiser any more: it was trained at its own times alone."""
    if (distilled := loaded.model.config.distilled) is not None:
        steps = plural(distilled.steps, "step")
        raise UsageError(
            f"{name_of(loaded.run)} is distilled to {steps} already: give the run that it was distilled from, {distilled.run}"
        )


def load_worse(name: str, loaded: LoadedModel) -> LoadedModel:
    """The network of --guide-by, RUN or RUN@STEP, to guide one that is loaded.

    Raises RunError as `load_model` does, and UsageError for a network with other data, another schedule or other classes, and for
    the one that is loaded.
    """
    run, step = at_step(Path(name))
    worse = load_model(run, raw=loaded.raw, device=str(loaded.model.like.device), step=step)
    ours, theirs = loaded.model.config, worse.model.config
    alike = len(ours.shape) == len(theirs.shape) and ours.shape[0] == theirs.shape[0]
    alike = alike and ours.num_classes == theirs.num_classes and ours.conditions == theirs.conditions
    if not alike or ours.normalisation != theirs.normalisation or ours.schedule != theirs.schedule:
        way_out = f"it needs the data, schedule and classes of {loaded.name}, as an earlier checkpoint of it has them"
        raise UsageError(f"--guide-by {name}: {way_out}")
    if worse.weights == loaded.weights:
        raise UsageError(f"--guide-by {name} is the network to guide itself: give an earlier checkpoint, {run}@STEP")
    return worse
