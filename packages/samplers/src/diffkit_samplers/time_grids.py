"""The times at which a sampler evaluates denoise."""

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise

from diffkit_schedules import Schedule, rates_at, times_of, timesteps_of

from diffkit_samplers.spacings import INDICES, LEVEL_SCALES, PURE_NOISE_LOG_SNR, SPACINGS, LevelScale

__all__ = ["grid"]


def grid(
    schedule: Schedule, steps: int, spacing: str | Sequence[float] = "uniform", *, offset: int = 0, last: float = 0.0
) -> list[float]:
    """The times of `steps` steps: steps + 1 decreasing floats, noise first, `last` (0.0, clean data) at the end.

    With T the number of a table's steps (1000 for a continuous schedule), N = steps and index i at t = (i + 1) / T:

        uniform     t = 1 - k / N, k = 0 ... N - 1; on a table the nearest entry, as "trailing"
        trailing    index round(T - k T / N) - 1
        leading     index (N - 1 - k) (T // N) + offset: does not start at pure noise
        linspace    index round of N numbers evenly spaced from T - 1 to 0
        quadratic   index int(u^2) + offset, u evenly spaced from sqrt(0.8 T) to 0: does not start at pure noise
        karras      (sigma / alpha)^(1/7) evenly spaced from t = 1 to 1 / T; on a table the nearest entries
        karras_160  the same from sigma / alpha = 160, or from t = 1 where it is smaller there
        log_snr     log-SNR evenly spaced from t = 1 to 1 / T; on a table the nearest entries

    Equal indices (close to the data, at large N) move to the next free one. A sequence of times is returned as floats.
    offset: diffusers' steps_offset, for the two that do not start at pure noise. last: 1 / T for its set_alpha_to_one=False.
    Raises ValueError for an unknown spacing, steps < 1, more steps than T, and times that do not decrease within [0, 1].
    Source: Song et al. 2021 (DDIM), appendix D.2 (leading is its linear, and quadratic); Lin et al. 2024, table 2; Karras et
    al. 2022 (EDM), equation 5; Lu et al. 2022 (DPM-Solver), section 3.3, for log_snr.

    >>> from diffkit_schedules import cosine, linear_betas
    >>> grid(cosine(), 4)
    [1.0, 0.75, 0.5, 0.25, 0.0]
    >>> grid(linear_betas(), 4, "leading")
    [0.751, 0.501, 0.251, 0.001, 0.0]
    """
    if not isinstance(spacing, str):
        return _decreasing([float(t) for t in spacing])
    if spacing not in SPACINGS:
        raise ValueError(f"spacing must be one of {', '.join(map(repr, SPACINGS))}, or a sequence of times; got {spacing!r}")
    if isinstance(steps, bool) or not hasattr(steps, "__index__") or steps < 1:
        raise ValueError(f"steps must be an integer of at least 1, got {steps!r}")
    if offset and spacing not in ("leading", "quadratic"):
        raise ValueError(
            f"offset is for 'leading' and 'quadratic', which do not start at pure noise; got {offset} with {spacing!r}"
        )
    table = hasattr(schedule, "timesteps")
    if spacing == "uniform" and not table:
        return _decreasing([1 - k / steps for k in range(steps)] + [last])
    timesteps = timesteps_of(schedule)
    if steps > timesteps:
        raise ValueError(f"steps must be at most {timesteps}, the number of timesteps that {spacing!r} selects from; got {steps}")
    if spacing in LEVEL_SCALES:
        times = _times_of_levels(schedule, LEVEL_SCALES[spacing], steps)
        if not table:
            return _decreasing([*times, last])
        indices = [round(t * timesteps) - 1 for t in times]
    else:
        indices = INDICES[spacing](timesteps, steps)
    indices = [i + offset for i in _decreasing_indices(indices, timesteps)]
    if not 0 <= indices[0] < timesteps:
        raise ValueError(f"offset {offset} moves the first index of {spacing!r} to {indices[0]}, outside 0 ... {timesteps - 1}")
    return _decreasing([(i + 1) / timesteps for i in indices] + [last])


def _times_of_levels(schedule: Schedule, scale: LevelScale, steps: int) -> list[float]:
    """Times whose noise levels are evenly spaced on a scale, from t = 1, or from its smallest log-SNR, to t = 1 / T.

    Where t = 1 is pure noise up to rounding, the scale starts at the first 1 - k / T that is not; the first time is 1 still.
    Where 1 / T is clean data (a table whose first beta is 0) the scale ends at the first k / T that is not.
    Raises ValueError for a schedule with no noise level between the two.
    """
    timesteps = timesteps_of(schedule)
    first = _first_level(schedule, (1 - k / timesteps for k in range(timesteps)))
    start = scale.value(max(first, scale.min_log_snr))
    end = scale.value(_first_level(schedule, (k / timesteps for k in range(1, timesteps + 1))))
    levels = [scale.inverse(start + k / max(steps - 1, 1) * (end - start)) for k in range(steps)]
    times = times_of(schedule, levels)
    return times if first < scale.min_log_snr else [1.0, *times[1:]]


def _first_level(schedule: Schedule, times: Iterable[float]) -> float:
    """The log-SNR at the first of the times that is neither pure noise nor clean data."""
    for t in times:
        level = rates_at(schedule, t).log_snr
        if PURE_NOISE_LOG_SNR < level < math.inf:
            return float(level)
    names = ", ".join(map(repr, LEVEL_SCALES))
    raise ValueError(f"{names} need a noise level between clean data and pure noise, {schedule!r:.80} has none")


def _decreasing_indices(indices: Sequence[int], timesteps: int) -> list[int]:
    """The indices, with equal ones moved to the next free index within 0 ... T - 1."""
    free: list[int] = []
    for index in reversed(indices):
        free.append(max(index, free[-1] + 1) if free else index)
    for k, limit in zip(reversed(range(len(free))), reversed(range(timesteps)), strict=False):
        free[k] = min(free[k], limit)
    return free[::-1]


def _decreasing(times: list[float]) -> list[float]:
    if len(times) < 2:
        raise ValueError(f"a grid needs at least two times, got {times}")
    for now, then in pairwise(times):
        if not then < now:
            raise ValueError(f"times must decrease towards the data, got {then:.6g} after {now:.6g}")
    if not (times[0] <= 1 and times[-1] >= 0):
        raise ValueError(f"times must be in [0, 1], got {times[0]:.6g} to {times[-1]:.6g}")
    return times
