"""AdamW, or Muon and AdamW, without updates that are not finite; the host never waits for the device."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from diffkit_trainer.distributed.shard import full_tensor, shard_like
from diffkit_trainer.errors import DivergedError
from diffkit_trainer.options import Options
from diffkit_trainer.training.optimisation.lr_schedules import LR_SCHEDULES
from diffkit_trainer.training.optimisation.muon import Muon

__all__ = ["Optimiser"]

INITIAL_SCALE, GROWTH_INTERVAL = 65536.0, 2000

BETAS = {"adamw": (0.9, 0.999), "muon": (0.9, 0.99)}
"""AdamW's decay rates: alone, and beside Muon."""


class Optimiser:
    """Fused AdamW, or `Muon` for the matrices and AdamW for the rest; the device makes every decision.

        lr_n = lr min(1, (n + 1) / warmup) f(min(n / decay_steps, 1)),   n = 0, 1, ...,   f of `LR_SCHEDULES`

    n is the number of updates made. The gradient's norm, for clipping, is over all parameters. With fp16 the backward pass uses
    the loss times a scale, which is halved at an overflow and doubled after 2,000 updates without one.

    An update whose gradient norm is not finite changes neither weights nor moments nor n. With fp16 it is skipped as an overflow
    while the scale is at least 1; otherwise the training has diverged, and no later update changes anything: `check` names the
    step. matrices: the parameters for Muon, see `matrices_of`; with optimiser "adamw" they are as the others. options, changes:
    as for `Trainer`.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        options: Options | None = None,
        *,
        matrices: Iterable[Tensor] = (),
        **changes: Any,
    ) -> None:
        self.options = options = (options or Options()).changed(**changes)
        self.parameters = [parameter for parameter in parameters if parameter.requires_grad]
        device = self.parameters[0].device
        self.lr = torch.full((), options.lr, device=device)
        dtype = torch.bfloat16 if options.precision == "bf16" else torch.float32
        self.muon = Muon(list(matrices) if options.optimiser == "muon" else [], dtype)
        self.momenta = self.muon.momenta_by_weight()
        rest = [parameter for parameter in self.parameters if parameter not in self.momenta]
        self.adamw = torch.optim.AdamW(
            [{"params": rest}],
            betas=BETAS[options.optimiser],
            weight_decay=options.weight_decay,
            fused=True,
            capturable=device.type == "cuda",  # or its step refuses to be recorded in a CUDA graph
        )
        self.adamw.param_groups[0]["lr"] = self.lr  # AdamW would read the value of a learning rate in its arguments
        self.updates = torch.zeros((), dtype=torch.int64, device=device)
        self.skipped = torch.zeros_like(self.updates)
        self.bad_step = torch.zeros_like(self.updates)  # the first update that was not finite, 1, 2, ...; 0 for none
        self.scale = torch.full((), INITIAL_SCALE, device=device) if options.precision == "fp16" else None
        self.streak = torch.zeros_like(self.updates)

    def backward(self, value: Tensor) -> None:
        """Add the gradients of a loss; a loss that is not finite makes them NaN, in all processes once they are summed."""
        # an infinite absolute error has the finite gradient 1: NaN makes the norm show it
        value = value * torch.where(value.isfinite(), 1.0, torch.nan)
        (value if self.scale is None else value * self.scale).backward()

    @torch.no_grad()
    def apply(self) -> tuple[Tensor, Tensor]:
        """Make the next update unless it is not finite; returns whether it was made, and the norm before clipping.

        All that it changes changes in place and all that it counts is counted on the device, so that a CUDA graph of it is the
        same at every step.
        """
        gradients = [parameter.grad for parameter in self.parameters if parameter.grad is not None]
        norm = full_tensor(nn.utils.get_total_norm(gradients)).float()  # the fused kernel divides by float32 only
        norm = norm if self.scale is None else norm / self.scale
        finite = norm.isfinite()
        lost = ~finite if self.scale is None else ~finite & (self.scale < 1)
        step = self.updates + self.skipped + 1
        self.bad_step.copy_(torch.where(lost & (self.bad_step == 0), step, self.bad_step))
        good = finite & (self.bad_step == 0)
        self._set_lr()
        # what torch's own gradient scaler does: the fused kernel divides by grad_scale and does nothing where found_inf is 1
        self.adamw.found_inf = (~good).float()  # type: ignore[attr-defined]
        self.adamw.grad_scale = divisor = self._divisor(norm)  # type: ignore[attr-defined]
        self.adamw.step()
        self.muon.step(self.lr, self.options.weight_decay, good, divisor)
        for parameter in self.parameters:
            parameter.grad = None
        self.updates += good
        self.skipped += ~good
        self._rescale(good)
        return good, norm

    def check(self) -> None:
        """Raises DivergedError where an update was not finite. Waits for the device."""
        step = int(self.bad_step)
        if step:
            raise DivergedError(f"the loss or its gradient was not finite at step {step}: no update was made from there on", step)

    def state(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """Numbers for state.json, and the moments or the momentum of each parameter by name."""
        numbers: dict[str, Any] = {"updates": int(self.updates), "skipped": int(self.skipped), "streak": int(self.streak)}
        numbers |= {} if self.scale is None else {"scale": float(self.scale)}
        slots = [
            {"momentum": self.momenta[parameter]}
            if parameter in self.momenta
            else self.adamw.state.get(parameter) or _moments_at_0(parameter)
            for parameter in self.parameters
        ]
        return numbers, {f"{i}.{key}": value for i, slot in enumerate(slots) for key, value in slot.items()}

    def expected_moments(self) -> dict[str, Tensor]:
        """The moments of a state on "meta": names, shapes and types."""
        one = torch.empty((), device="meta")
        return {
            f"{i}.{key}": one if key == "step" else torch.empty(parameter.shape, dtype=parameter.dtype, device="meta")
            for i, parameter in enumerate(self.parameters)
            for key in (("momentum",) if parameter in self.momenta else ("step", "exp_avg", "exp_avg_sq"))
        }

    def restore(self, numbers: dict[str, Any], moments: dict[str, Tensor]) -> None:
        """Restore the result of `state`."""
        self.adamw.state.clear()
        for i, parameter in enumerate(self.parameters if moments else []):
            if parameter in self.momenta:
                self.momenta[parameter].copy_(moments[f"{i}.momentum"])
                continue
            # in the parameter's memory format: the fused kernel reads all of them in the order of memory
            both = {key: shard_like(moments[f"{i}.{key}"], parameter) for key in ("exp_avg", "exp_avg_sq")}
            slot = {key: torch.empty_like(parameter).copy_(value) for key, value in both.items()}
            self.adamw.state[parameter] = {"step": moments[f"{i}.step"].to(parameter.device, copy=True), **slot}
        for name in ("updates", "skipped", "streak"):
            getattr(self, name).fill_(numbers[name])
        if self.scale is not None:
            self.scale.fill_(numbers.get("scale", INITIAL_SCALE))
        self.bad_step.zero_()
        self._set_lr()

    def _set_lr(self) -> None:
        schedule, warmup = LR_SCHEDULES[self.options.lr_schedule], self.options.warmup
        if not warmup and schedule is None:
            return
        factor = ((self.updates + 1) / max(warmup, 1)).clamp(max=1.0)
        if schedule is not None:
            factor = factor * schedule((self.updates / (self.options.decay_steps or 1)).clamp(max=1.0))
        self.lr.copy_(self.options.lr * factor)

    def _divisor(self, norm: Tensor) -> Tensor | None:
        if self.options.clip_grad_norm is None:
            return self.scale
        clipped = (norm / self.options.clip_grad_norm).clamp(min=1.0)
        return clipped if self.scale is None else clipped * self.scale

    def _rescale(self, good: Tensor) -> None:
        if self.scale is None:
            return
        streak = torch.where(good, self.streak + 1, 0)
        grown = streak == GROWTH_INTERVAL
        self.scale.mul_(torch.where(good, torch.where(grown, 2.0, 1.0), 0.5))
        self.streak.copy_(torch.where(grown, 0, streak))


def _moments_at_0(parameter: nn.Parameter) -> dict[str, Tensor]:
    """The moments of a parameter that has had no gradient yet, as AdamW initialises them."""
    zeros = {key: torch.zeros_like(parameter) for key in ("exp_avg", "exp_avg_sq")}
    return {"step": torch.zeros((), device=parameter.device), **zeros}
