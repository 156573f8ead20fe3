"""Resampling: each step of a method made again and again, with the way back to its noise in between."""

import math

from diffkit_schedules import Array, as_array_of, combine

from diffkit_samplers.denoise import look
from diffkit_samplers.loop import Move, Update
from diffkit_samplers.trajectory import update_of

__all__ = ["resample"]


def resample(method: str | Update, rounds: int = 10) -> Update:
    """A method, for `trajectory(method=)`, whose steps but the last are made `rounds` times, noised back in between.

        x_s = update(x_t),   x_t <- (alpha_t / alpha_s) x_s + sqrt(sigma_t^2 - (alpha_t sigma_s / alpha_s)^2) z

    What `inpaint` keeps and what is drawn beside it so come to agree: one round draws the rest as if it hardly knew what is
    kept. Costs rounds - 1 more evaluations at each step but the last, and brings its noise with it whatever eta is, which is 0
    unless one is given. The step before had other noise: a method that looks back, as "dpmpp_2m", is made without, as "ddim".
    method: a name of `METHODS`, or an `Update`.
    Raises ValueError for an unknown method and for rounds < 1.
    Source: Lugmayr et al. 2022 (RePaint), algorithm 1, with U = rounds and jumps of one step.

    >>> import numpy as np
    >>> from diffkit_samplers import inpaint, seeded, trajectory
    >>> from diffkit_schedules import cosine
    >>> mean = lambda x, t: x.mean(axis=1, keepdims=True) + 0 * x  # as if all of an image were one grey
    >>> filled = inpaint(mean, known=np.ones(4), mask=np.array([1, 0, 0, 0]))
    >>> def drawn(method):
    ...     noise = seeded(range(1000))
    ...     *_, last = trajectory(filled, cosine(), noise((1000, 4)), method=method, noise=noise)
    ...     return round(float(last.x0[:, 1:].mean()), 1)
    >>> drawn("ddim"), drawn(resample("ddim", rounds=10))
    (0.6, 0.9)
    """
    update, _ = update_of(method)
    if rounds < 1:
        raise ValueError(f"rounds must be at least 1, got {rounds}")
    if rounds == 1:
        return update

    def resampled(x: Array, move: Move) -> Array:
        move = move._replace(before=None)
        ratio = move.now.alpha / move.then.alpha
        fresh = math.sqrt(max(move.now.sigma**2 - (ratio * move.then.sigma) ** 2, 0.0))
        for _ in range(rounds - 1 if move.s > 0 else 0):  # the last step's estimate is the sample
            x = combine(ratio, update(x, move), fresh, as_array_of(move.noise(tuple(x.shape)), x))
            move = move._replace(estimate=look(move.denoise, x, move.t))
        return update(x, move)

    return resampled
