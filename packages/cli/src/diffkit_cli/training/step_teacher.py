"""The teacher of a distillation: what its sampler does in several steps, as the target of one."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import torch
from diffkit_samplers import trajectory
from diffkit_schedules import rates_at, timesteps_of
from diffkit_trainer import ExportedNetwork, RunError, write_export
from torch import Tensor

from diffkit_cli.run_config import Distilled
from diffkit_cli.sampling.loading import load_model
from diffkit_cli.sampling.model import Conditioning, DiffusionModel

__all__ = ["StepTeacher", "teacher_of", "write_teacher"]

TEACHER_FILE = "teacher.safetensors"
"""In the run's folder: the run is resumed without that of its teacher."""


class StepTeacher(NamedTuple):
    """The teacher of a student with fewer steps, see `diffkit_trainer.Teacher`.

    From noisy data x_t at the time t of one of the student's steps, the sampler goes to x_s at the end of the step. The answer is
    the x0 with which a single step of DDIM ends there; in the last step it is the sample:

        x0 = (x_s - r x_t) / (alpha_s - r alpha_t),   r = sigma_s / sigma_t,   eps = (x_t - alpha_t x0) / sigma_t

    A batch has as many samples in each step, by its t. model: with its network on the device. precision: of its evaluations.
    Source: Salimans and Ho 2022 (progressive distillation), algorithm 2, with more than two steps of the teacher.
    """

    model: DiffusionModel
    distilled: Distilled
    precision: str = "fp32"

    def to_config(self) -> dict[str, Any]:
        """Everything that the answers depend on."""
        return {name: value for name, value in msgspec.to_builtins(self.distilled).items() if name != "run"}

    def __call__(self, x0: Tensor, t: Tensor, eps: Tensor, given: Mapping[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """The x0, t and eps to learn from data x0 and noise eps, of which t chooses the step."""
        steps = self.distilled.steps
        chosen = (t.flatten() * steps).long().clamp(max=steps - 1)
        found = torch.empty_like(x0), torch.empty_like(t), torch.empty_like(eps)
        for k in range(steps):
            rows = (chosen == k).nonzero()[:, 0]
            if len(rows):
                of_step = {name: each[rows] for name, each in given.items()}
                found[0][rows], found[1][rows], found[2][rows] = self._step(k, x0[rows], eps[rows], of_step)
        return found

    def _step(self, k: int, x0: Tensor, eps: Tensor, given: Mapping[str, Tensor]) -> tuple[Tensor, float, Tensor]:
        """The answers for step k of the student, 0 from pure noise."""
        schedule, ratio = self.model.schedule, self.distilled.ratio
        times = self.distilled.times[k * ratio : (k + 1) * ratio + 1]
        now, then = rates_at(schedule, times[0]), rates_at(schedule, times[-1])
        x = now.alpha * x0 + now.sigma * eps
        last = self._last_state(x, times, given)
        r = then.sigma / now.sigma
        found = last.x0 if times[-1] == 0 else (last.x - r * x) / (then.alpha - r * now.alpha)
        # the loss moves a time up to the next entry of a table: from one just below this entry
        below = 0.5 / timesteps_of(schedule) if self.model.config.condition == "index" else 0.0
        return found, times[0] - below, (x - now.alpha * found) / now.sigma

    def _last_state(self, x: Tensor, times: list[float], given: Mapping[str, Tensor]) -> Any:
        conditions = dict(given)
        labels = conditions.pop("class_labels", None)
        conditioning = Conditioning(None if labels is None else labels.tolist(), conditions)
        sampler = self.distilled.sampler
        denoise = self.model.clipped(
            self.model.denoiser_of(conditioning, self.distilled.guidance, precision=self.precision), sampler
        )
        for state in trajectory(denoise, self.model.schedule, x, method=sampler, spacing=times):  # noqa: B007
            pass
        return state


def write_teacher(run: Path, teacher: StepTeacher) -> None:
    """Write the network of the teacher into the run's folder. Raises RunError."""
    model, path = teacher.model, run / TEACHER_FILE
    try:
        weights, config = model.network.state_dict(), model.config.document()
        write_export(path, ExportedNetwork(weights, config, teacher.distilled.step, raw=False))
    except OSError as error:
        raise RunError(f"{path}: cannot be written ({error.strerror})") from None


def teacher_of(start: DiffusionModel | Path, distilled: Distilled, device: Any, precision: str) -> StepTeacher:
    """The teacher, on the device. start: the network that is distilled, or the run that is resumed.

    Raises RunError for a file in the run that is missing, or not that of its config.
    """
    if not isinstance(start, Path):
        start.network.to(device)
        return StepTeacher(start, distilled, precision)
    path = start / TEACHER_FILE
    if not path.is_file():
        raise RunError(f"{path}: is missing, and the run cannot be resumed without its teacher")
    loaded = load_model(path, raw=False, device=str(device))
    if loaded.weights != distilled.weights:
        raise RunError(f"{path}: has weights {loaded.weights}, expected {distilled.weights}: not the run's teacher")
    return StepTeacher(loaded.model, distilled, precision)
