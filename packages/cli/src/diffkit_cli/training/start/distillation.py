"""A new run that starts from a trained network and learns to do in one step what that does in several: distillation."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from diffkit_samplers import grid

from diffkit_cli.errors import UsageError
from diffkit_cli.run_config import Distilled, RunConfig, Sampling
from diffkit_cli.sampling.class_labels import class_labels, classes_in_turn
from diffkit_cli.terminal.console import console, plural
from diffkit_cli.time_lists import text_of
from diffkit_cli.training.data import DATA_OPTIONS
from diffkit_cli.training.options import Given
from diffkit_cli.training.start.fine_tune import Source
from diffkit_cli.training.start.resolve import known_options

__all__ = ["Distillation", "sampling_of_student"]

SAMPLER, SPACING = "dpmpp_2m", "karras_160"
RATIO, MIN_STEPS = 4, 8
"""The teacher's steps: so many for one of the student, and at least so many; 8 have the quality of 20 steps of DDIM."""

RECIPE: Mapping[str, Any] = {
    **{"loss": "mse", "weighting": "uniform", "times": "stratified", "optimiser": "adamw", "lr": 1e-3, "weight_decay": 0.0},
    **{"lr_schedule": "cosine", "warmup": 50, "clip_grad_norm": 1.0, "ema": 0.99},
}
"""The options of training that a distillation has in place of the teacher's."""

TRAINED, EVALUATED = 3, 1
"""The time of an update for a sample, and of an evaluation."""

UPDATES = 3_000
"""Of a distillation of an imported network."""


class Distillation(NamedTuple):
    """What is distilled, as it was asked for: the student's steps; guidance: the scale to learn, None for that of the run."""

    steps: int
    guidance: float | None = None

    def options(self, given: Given, source: Source) -> Given:
        """The options of the training: those that were given, over `RECIPE` and the teacher's data.

        By default it takes about as long as the teacher's training did. Raises UsageError where the data is not there.
        """
        data = given.get("data") or source.config.data.source
        if given.get("data") is None and data != "digits" and not (data and Path(data).exists()):
            named = f"its images, {data!r:.60}, are not here" if data else "it does not name its images"
            raise UsageError(f"{source.name}: {named}: give DATA, the images to distil it on")
        rounded = source.config.prediction == "eps"  # near pure noise an error of eps is one of x0 by sigma / alpha
        return {
            **RECIPE,
            **({"precision": "fp32"} if rounded else {}),
            "steps": self._updates(source),
            **({} if given.get("data") else self._reading(source.config)),
            **{name: each for name, each in given.items() if each is not None},
            "data": data,
        }

    def of(self, source: Source) -> Distilled:
        """How the student's teacher is sampled. Raises UsageError for guidance that the network has not learned."""
        config = source.config
        guidance = self._guidance(config)
        class_labels(config, classes_in_turn(config), 1, guidance)
        steps = max(MIN_STEPS, RATIO * self.steps)
        try:
            spacing = text_of(grid(source.model.schedule, steps, SPACING))
        except ValueError as error:
            raise UsageError(f"{source.name} cannot be distilled: its schedule has no {steps} steps: {error}") from None
        origin = msgspec.to_builtins(source.origin)
        found = Distilled(**origin, steps=self.steps, sampler=SAMPLER, spacing=spacing, guidance=guidance)
        scale = f", guidance {guidance:g}" if guidance != 1 else ""
        each = f"{plural(self.steps, 'step')}, each of {found.ratio} steps of {SAMPLER}{scale}"
        console.print(f"the student learns {each}; DDIM samples it")
        return found

    def _reading(self, config: RunConfig) -> Given:
        """How the run's own data was read: its size, its conditions, and so on."""
        options = None if config.training is None else known_options(config)
        return {} if options is None else {name: getattr(options, name) for name in DATA_OPTIONS}

    def _guidance(self, config: RunConfig) -> float:
        own = config.sampling.guidance if config.sampling else 1.0
        return own if self.guidance is None else self.guidance

    def _updates(self, source: Source) -> int:
        trained = source.config.trained
        if trained is None:
            return UPDATES
        evaluations = max(RATIO, MIN_STEPS // self.steps) * (1 if self._guidance(source.config) == 1 else 2)
        return max(1, round(trained.steps * TRAINED / (TRAINED + EVALUATED * evaluations)))


def sampling_of_student(distilled: Distilled, config: RunConfig) -> Sampling:
    """How a student is sampled: in its steps, by DDIM, without guidance, which it has learned."""
    start = config.sampling.start if config.sampling else "noise"
    return Sampling(sampler="ddim", spacing=text_of(distilled.times[:: distilled.ratio]), start=start)
