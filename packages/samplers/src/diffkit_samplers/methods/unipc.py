"""UniPC: a multistep step, and the one before it made again with the estimate at its end."""

from diffkit_schedules import Array

from diffkit_samplers.loop import Step
from diffkit_samplers.multistep import multistep
from diffkit_samplers.sampler import sampler

__all__ = ["unipc_2", "unipc_3"]


@sampler(eta=0.0, history=2)
def unipc_2(x: Array, step: Step) -> Array:
    """Samples by UniPC-2 (B_2, predicting x0): third order between noisy times, with one evaluation per step.

    Its predictor is `dpmpp_2m`. The estimate at the end of a step corrects that step before the next one starts, by a
    quadratic in log-SNR through it and the two estimates before. At eta > 0 each step adds the noise of `step`: a stochastic
    predictor and corrector, as SA-Solver (Xue et al. 2023). The state after a step is the predicted one.
    On a grid to t = 0 the last step decides the order as it does for `heun`. Arguments, result and errors are those of `ddim`.
    Source: Zhao et al. 2023 (UniPC), algorithms 7 and 8 for x0, with the B_2(h) of section 3.4.

    >>> import numpy as np
    >>> from diffkit_schedules import cosine
    >>> unipc_2(lambda x, t: np.full_like(x, 3.0), cosine(), np.array([[0.7]]), steps=5)
    array([[3.]])
    """
    return multistep(x, step, 2, corrected=True)


@sampler(eta=0.0, history=3)
def unipc_3(x: Array, step: Step) -> Array:
    """Samples by UniPC-3: `unipc_2` with one estimate more in the predictor, which is `dpmpp_3m`, and in the corrector.

    Its first steps have the lower orders, so that its order is 3 too, with a smaller error where steps are short or of equal
    length. Long steps that differ in length extrapolate far: at 5 to 8 steps of "karras" take `unipc_2`.
    Arguments, result, errors and source are those of `unipc_2`.

    >>> import numpy as np
    >>> from diffkit_schedules import cosine
    >>> unipc_3(lambda x, t: np.full_like(x, 3.0), cosine(), np.array([[0.7]]), steps=5)
    array([[3.]])
    """
    return multistep(x, step, 3, corrected=True)
