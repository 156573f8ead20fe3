"""DPM-Solver++(2S): the estimate in the middle of the step."""

from diffkit_schedules import Array

from diffkit_samplers.ancestral import ancestral, time_at
from diffkit_samplers.loop import Step
from diffkit_samplers.multistep import level
from diffkit_samplers.sampler import sampler

__all__ = ["dpmpp_2s_ancestral"]


@sampler(eta=1.0, history=0)
def dpmpp_2s_ancestral(x: Array, step: Step) -> Array:
    """Samples by DPM-Solver++(2S) with ancestral noise: a midpoint step in log-SNR beyond each level, and noise back to it.

        x_s = step(x_t, denoise(x_m, m)),   x_m = step(x_t, x0) in the middle m of log-SNR

    At eta = 0 it is DPM-Solver++(2S), of second order between noisy times. Evaluations: 2 steps - 1, one less from alpha = 0.
    Arguments, result and errors are those of `ddim`.
    Source: Lu et al. 2022 (DPM-Solver++), algorithm 1 with r = 1/2; k-diffusion's ancestral step (Crowson 2022).

    >>> import numpy as np
    >>> from diffkit_schedules import cosine
    >>> dpmpp_2s_ancestral(lambda x, t: np.full_like(x, 3.0), cosine(), np.array([[0.7]]), steps=5)
    array([[3.]])
    """
    return step.advance(x) if step.s == 0 or step.now.alpha == 0 else ancestral(_midpoint, x, step)


def _midpoint(x: Array, step: Step) -> Array:
    if step.then.sigma == 0:
        return step.advance(x)
    middle = time_at(step.schedule, (level(step.now) + level(step.then)) / 2)
    return step.advance(x, step.evaluate(step.ending(middle).advance(x), middle).x0)
