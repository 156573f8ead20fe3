"""From the options that were given to those of a run: defaults, over them the preset's, over them what was given."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from diffkit_schedules import Schedule, from_config
from diffkit_trainer import RunError
from diffkit_trainer.data import Size
from diffkit_trainer.options import ROUNDING, shown

from diffkit_cli.errors import UsageError
from diffkit_cli.recipes import default_preset, recipe_of
from diffkit_cli.run_config import RunConfig
from diffkit_cli.terminal.console import command
from diffkit_cli.training.options import CHANGEABLE, OPTIONS, RESUMABLE, Given, TrainOptions, check

__all__ = [
    *("NOT_RESUMABLE", "check_together", "defaults_for", "fine_tune_command", "known_options"),
    *("resolve", "resolve_from", "resolve_resumed", "stored_options"),
]

NOT_RESUMABLE = "the run's config.json cannot be resumed"

MIN_WARMUPS = 10
"""A recipe's warm-up takes at most one in so many steps of a run whose learning rate falls to 0: a short run has a short one."""

NETWORK = ("preset", "linear", "schedule", "prediction", "normalise")
"""The options that belong to a trained network."""

IMPORTED: Mapping[str, Any] = {**recipe_of("ddpm-cifar10"), "preset": "ddpm-cifar10", "steps": 10_000, "warmup": 500}
"""The options that a network without training options is fine-tuned with: those of the paper, for fewer steps."""


def resolve(given: Given, side: int, size: Size | None) -> TrainOptions:
    """The options of a new run. side: the shorter side of its images; size: what they were resized to, None for not at all.

    >>> resolve({"lr": 0.5}, side=8, size=None).steps, resolve({"lr": None}, side=64, size=64).lr
    (1200, 0.003)
    """
    preset = given.get("preset") or default_preset(side)
    values = {**recipe_of(preset), **_set(given), "preset": preset, "size": size}
    values.setdefault("prediction", _prediction_for(_schedule(values)))
    return _with_decay(values, given)


def defaults_for(shape: Sequence[int], conditions: Collection[str]) -> dict[str, Any]:
    """The options that the samples of other spaces, and those with conditions, have in place of a recipe's.

    >>> defaults_for((1, 8, 8), []), defaults_for((1, 100), [])
    ({}, {'linear': False, 'channels_last': False, 'flip': False})
    """
    is_image = len(shape) == 3
    return ({} if is_image and not conditions else {"linear": False}) | (
        {} if is_image else {"channels_last": False, "flip": False}
    )


def resolve_from(stored: RunConfig, given: Given, size: Size | None, name: str) -> TrainOptions:
    """The options of a run that is fine-tuned: those of another run's config, overridden by those that were given.

    name: of the other run. A network without training options is trained by the recipe `IMPORTED`. Raises UsageError for an
    option of the network that differs from its own.
    """
    of_space = defaults_for(stored.shape, ())
    values: Mapping[str, Any] = {**IMPORTED, **of_space}
    if stored.training is not None:
        before = known_options(stored)
        own = set(OPTIONS) - {*RESUMABLE, *ROUNDING} | {"steps"}
        kept = {each: getattr(before, each) for each in own} | {"decay_steps": None, "freeze": ()}
        values = {**recipe_of(before.preset), **of_space, **kept}
    half = {*stored.normalisation.mean, *stored.normalisation.std} == {0.5}
    values = {
        **values,
        **{"linear": "network" in stored.network, "schedule": stored.schedule["name"], "prediction": stored.prediction},
        "normalise": "range" if half else "data",
    }
    chosen = _set(given)
    for each in NETWORK:
        if chosen.get(each, values[each]) != values[each]:
            found = f"{each} is {shown(values[each])} in {name}, got {shown(chosen[each])}"
            raise UsageError(f"{found}: leave it out, for --from takes over the network with what belongs to it")
    return _with_decay({**values, **chosen, "size": size}, given)


def stored_options(stored: RunConfig) -> TrainOptions:
    """The options of a run's config.json. Raises RunError where it has none, or not those of a training."""
    if stored.training is None:
        raise RunError("the run's config.json has no training options: it cannot be resumed")
    document, schedule = stored.training | {"data": stored.data.source}, stored.schedule.get("name")
    if document.get("schedule") == schedule:  # of an imported network: not one that a name suffices for
        del document["schedule"]
    try:
        values = {name: check(name, value, where="its config.json") for name, value in document.items()}
        return TrainOptions(**{"schedule": schedule, **values})
    except (ValueError, TypeError) as error:
        raise RunError(f"{NOT_RESUMABLE}: {error}") from None


def known_options(stored: RunConfig) -> TrainOptions:
    """As `stored_options`, without those of another version that this one does not have: enough to start from the network."""
    known = {name: value for name, value in (stored.training or {}).items() if name in OPTIONS}
    return stored_options(msgspec.structs.replace(stored, training=known))


def resolve_resumed(stored: RunConfig, given: Given, run: Path) -> TrainOptions:
    """The options of a run's config.json, overridden by those that were given and may change.

    Raises UsageError for an option that differs from the run's and must not, RunError where `stored` has no training options.
    """
    before = stored_options(stored)
    one, other = stored.schedule.get("name"), before.schedule
    if one != other:
        raise RunError(f"the run's config.json names two schedules: {one!r:.60} and {other!r:.60}")
    asked = {name: value for name, value in _set(given).items() if (name, value) != ("precision", "auto")}
    after = msgspec.structs.replace(before, **asked)
    for name in sorted(set(OPTIONS) - set(RESUMABLE) - set(CHANGEABLE)):
        was, now = getattr(before, name), getattr(after, name)
        if was != now:
            changed = f"{name} is {shown(was)} in the run to be resumed, got {shown(now)}"
            fixed = name in (*NETWORK, "size")
            another = "start another run" if fixed else f"fine-tune it: {fine_tune_command(before.data, run)}"
            raise UsageError(f"{changed}: leave it out, or {another}")
    if after.decay_steps is not None and after.steps > max(before.steps, after.decay_steps):
        stretched = command("train", "--resume", "--out", run, "--steps", after.steps, "--set", f"decay_steps={after.steps}")
        zero = f"the learning rate is 0 from step {after.decay_steps} on"
        raise UsageError(f"--steps {after.steps}: {zero}; to raise it again: {stretched}")
    return after


def fine_tune_command(data: object, run: Path) -> str:
    """The command that trains a new run from the network of a run."""
    return command("train", data, "--from", run, "--out", "NEW")


def check_together(given: Given) -> None:
    """Raises UsageError for options that contradict each other, before anything is read."""
    if given.get("prediction") == "eps" and given.get("schedule") and _schedule(given)(1.0).alpha == 0:
        raise UsageError(f"eps is undefined at zero terminal SNR (--schedule {given['schedule']}): use --prediction v")


def _with_decay(values: dict[str, Any], given: Given) -> TrainOptions:
    """The options of a new run, whose learning rate falls until its last step where it falls."""
    if values.get("lr_schedule", "constant") != "constant":
        if given.get("warmup") is None and "warmup" in values:
            values["warmup"] = min(values["warmup"], values["steps"] // MIN_WARMUPS)
        # fixed at the start: a run that is resumed for more steps must not jump to another learning rate
        values["decay_steps"] = values.get("decay_steps") or values["steps"]
    return TrainOptions(**values)


def _set(values: Mapping[str, Any]) -> dict[str, Any]:
    """Those that are set: None is a value only where the option has it."""
    return {name: value for name, value in values.items() if value is not None or OPTIONS[name].optional}


def _schedule(values: Mapping[str, Any]) -> Schedule:
    return from_config({"name": values.get("schedule", OPTIONS["schedule"].default)})


def _prediction_for(schedule: Schedule) -> str:
    """eps where it can be sampled from; where the schedule ends in pure noise, flow on a straight line and v elsewhere."""
    middle, end = schedule(0.5), schedule(1.0)
    if end.alpha > 0:
        return "eps"
    return "flow" if abs(middle.alpha + middle.sigma - 1) < 1e-9 else "v"
