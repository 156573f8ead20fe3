"""Every method by name, and the loop as a generator."""

from collections.abc import Iterator, Sequence

from diffkit_schedules import Array, Schedule, timesteps_of

from diffkit_samplers.ddim import ddim_update
from diffkit_samplers.denoise import Denoise
from diffkit_samplers.dpmpp import dpmpp_2m_update
from diffkit_samplers.heun import heun_update
from diffkit_samplers.loop import State, Update, run
from diffkit_samplers.noise import Source

__all__ = ["METHODS", "trajectory", "update_of"]

METHODS: dict[str, tuple[Update, float]] = {
    "ddim": (ddim_update, 0.0),
    "ddpm": (ddim_update, 1.0),
    "euler_ancestral": (ddim_update, 1.0),
    "heun": (heun_update, 0.0),
    "dpmpp_2m": (dpmpp_2m_update, 0.0),
    "dpmpp_2m_sde": (dpmpp_2m_update, 1.0),
}
"""The update of each method that has a name, and its eta unless one is given."""


def trajectory(
    denoise: Denoise,
    schedule: Schedule,
    x: Array,
    *,
    method: str | Update = "ddim",
    steps: int | None = None,
    eta: float | None = None,
    spacing: str | Sequence[float] = "uniform",
    noise: Source | None = None,
) -> Iterator[State]:
    """The sampler as a generator: a State(t, x, x0) after each step; the last one's x0 is the sample.

    t: the time reached, the last is 0.0; x: the state there; x0: the estimate the step used, made at the time before. Stopping
    early is the caller's `break`. method: a name, or an `Update` of one's own. steps, eta: by default the method's own, which
    are 20 and 0 for an update of one's own. All else as for `ddim`.
    Raises ValueError for an unknown method, and as `ddim` does, when it is called.

    >>> import numpy as np
    >>> from diffkit_schedules import rectified
    >>> [state.t for state in trajectory(lambda x, t: 0 * x, rectified(), np.ones((1, 1)), steps=4)]
    [0.75, 0.5, 0.25, 0.0]
    """
    update, usual = update_of(method)
    if steps is None:
        steps = timesteps_of(schedule) if method == "ddpm" else 20
    eta = usual if eta is None else eta
    return run(update, denoise, schedule, x, steps=steps, eta=eta, spacing=spacing, noise=noise)


def update_of(method: str | Update) -> tuple[Update, float]:
    """The update of a method and its eta unless one is given: 0 for an update of one's own. Raises ValueError for a name that
    is not in `METHODS`.

    >>> update_of("ddpm")[1], update_of(ddim_update)[1]
    (1.0, 0.0)
    """
    if isinstance(method, str) and method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(map(repr, METHODS))}, or an update; got {method!r}")
    return METHODS[method] if isinstance(method, str) else (method, 0.0)
