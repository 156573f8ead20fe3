"""DDIM, DDPM and ancestral sampling: one update, told apart by eta and by the number of steps."""

from collections.abc import Sequence

from diffkit_schedules import Array, Schedule, timesteps_of

from diffkit_samplers.denoise import Denoise
from diffkit_samplers.loop import Move, last_x0, run
from diffkit_samplers.noise import Source
from diffkit_samplers.steps import step

__all__ = ["ddim", "ddim_update", "ddpm", "euler_ancestral"]


def ddim_update(x: Array, move: Move) -> Array:
    """x at move.s by the DDIM formula; see `step`."""
    x0, eps, spread = move.estimate
    return step(x, x0, move.now, move.then, eta=move.eta, noise=move.noise, eps=eps, spread=spread)


def ddim(
    denoise: Denoise,
    schedule: Schedule,
    x: Array,
    *,
    steps: int = 20,
    eta: float = 0.0,
    spacing: str | Sequence[float] = "uniform",
    noise: Source | None = None,
) -> Array:
    """Samples by DDIM: x0 of the last of `steps` evaluations of denoise, each followed by `step`.

    denoise: denoise(x_t, t) -> x0, see `denoiser`. x: noise of shape (B, ...) at t = 1, standard normal times sigma(1); its
    library, dtype and device are kept. eta in [0, 1]: 0 is deterministic, 1 adds the DDPM posterior's noise.
    spacing: see `grid`; a sequence of times instead makes len - 1 steps. noise: a source of z for eta > 0, see `seeded`;
    without one the draws are not reproducible (under torch they follow its global generator).
    First order in the number of steps. Raises ValueError as `grid` and `step` do.
    Source: Song, Meng and Ermon 2021 (DDIM), equation 12.

    >>> import numpy as np
    >>> from diffkit_schedules import offset_cosine
    >>> denoise = lambda x, t: np.full_like(x, 3.0)  # the data is one point, 3
    >>> ddim(denoise, offset_cosine(), np.array([[0.7]]), steps=5)
    array([[3.]])
    """
    return last_x0(run(ddim_update, denoise, schedule, x, steps=steps, eta=eta, spacing=spacing, noise=noise))


def ddpm(
    denoise: Denoise,
    schedule: Schedule,
    x: Array,
    *,
    steps: int | None = None,
    eta: float = 1.0,
    spacing: str | Sequence[float] = "uniform",
    noise: Source | None = None,
) -> Array:
    """Samples by DDPM with the posterior ("fixed small") variance: `ddim` at eta = 1 over all the schedule's steps.

        x_s = mean + sqrt(beta (1 - abar_s) / (1 - abar_t)) z,   beta = 1 - abar_t / abar_s

    For the variance beta ("fixed large") wrap denoise in `fixed_large`; for a learned one see `denoiser(learned_range=True)`.
    steps: by default T of a table, 1000 for a schedule that is none. All else as for `ddim`.
    Source: Ho, Jain and Abbeel 2020 (DDPM), equations 6 and 7.

    >>> import numpy as np
    >>> from diffkit_schedules import linear_betas
    >>> ddpm(lambda x, t: np.full_like(x, 3.0), linear_betas(T=1000), np.array([[0.7]]))
    array([[3.]])
    """
    steps = timesteps_of(schedule) if steps is None else steps
    return ddim(denoise, schedule, x, steps=steps, eta=eta, spacing=spacing, noise=noise)


def euler_ancestral(
    denoise: Denoise,
    schedule: Schedule,
    x: Array,
    *,
    steps: int = 20,
    eta: float = 1.0,
    spacing: str | Sequence[float] = "uniform",
    noise: Source | None = None,
) -> Array:
    """Samples by Euler's method with ancestral noise, which is `ddim` at eta = 1: in units of sigma' = sigma / alpha,

        down = sigma'_s^2 / sigma'_t,   x'_s = x' + (down - sigma'_t) eps + sqrt(sigma'_s^2 - down^2) z

    All as for `ddim`. Source: k-diffusion's ancestral step (Crowson 2022), equal to Song et al. 2021 (DDIM), equation 16.

    >>> import numpy as np
    >>> from diffkit_schedules import cosine
    >>> euler_ancestral(lambda x, t: np.full_like(x, 3.0), cosine(), np.array([[0.7]]), steps=5)
    array([[3.]])
    """
    return ddim(denoise, schedule, x, steps=steps, eta=eta, spacing=spacing, noise=noise)
