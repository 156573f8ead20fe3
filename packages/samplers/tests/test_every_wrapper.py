"""Every wrapper that has nothing to do, around every method: the method alone. And what keeping eps does to a method's order."""

from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from diffkit_samplers import METHODS, clip, dynamic_threshold, fixed_large, guide, inpaint, resample, seeded, trajectory
from diffkit_samplers.testing import MixtureOracle
from diffkit_schedules import cosine, karras, linear_betas, rectified

WRAPPERS = {
    "clip": lambda denoise, schedule: clip(denoise, -1e6, 1e6),
    "clip, eps kept": lambda denoise, schedule: clip(denoise, -1e6, 1e6, keep_eps=schedule),
    "clip, twice": lambda denoise, schedule: clip(clip(denoise, -1e6, 1e6, keep_eps=schedule), -1e6, 1e6, keep_eps=schedule),
    "dynamic_threshold": lambda denoise, schedule: dynamic_threshold(denoise, 1.0, limit=1e6),
    "guide, off": lambda denoise, schedule: guide(denoise, lambda x, t: 0 * x, 1.0),
    "guide, equal answers": lambda denoise, schedule: guide(denoise, denoise, 7.5, rescale=0.7),
    "guide, equal answers, one scale a sample": lambda denoise, schedule: guide(denoise, denoise, np.arange(3.0)),
    "guide of kept eps, off": lambda denoise, schedule: guide(clip(denoise, -1e6, 1e6, keep_eps=schedule), denoise, 1),
    "inpaint": lambda denoise, schedule: inpaint(denoise, np.full(5, np.nan), np.zeros(5)),
    "fixed_large": lambda denoise, schedule: fixed_large(denoise),
    "resample": lambda denoise, schedule: denoise,
}
CASES = [(name, eta) for name in WRAPPERS for eta in (0.0, 0.5, 1.0) if (name, eta) != ("fixed_large", 1.0)]


@pytest.mark.parametrize("schedule", [cosine(), linear_betas(), rectified(), karras()], ids=lambda s: type(s).__name__)
@pytest.mark.parametrize(("wrapper", "eta"), CASES)
@pytest.mark.parametrize("method", METHODS)
def test_what_has_nothing_to_do_changes_nothing(method, wrapper, eta, schedule):
    oracle, x = MixtureOracle(schedule), schedule(1.0).sigma * seeded(range(3))((3, 5))
    wrapped = WRAPPERS[wrapper](oracle, schedule)
    alone, around = (
        list(trajectory(denoise, schedule, x, method=each, steps=6, eta=eta, noise=seeded(range(3))))
        for denoise, each in ((oracle, method), (wrapped, resample(method, 1) if wrapper == "resample" else method))
    )
    for one, other in zip(alone, around, strict=True):
        np.testing.assert_allclose(other.x0, one.x0, atol=1e-9)
        np.testing.assert_allclose(other.x, one.x, atol=1e-9 * schedule(1.0).sigma)


X = np.linspace(-2.5, 2.5, 21)[:, None]
METHODS_OF_ETA_0 = ["ddim", "heun", "dpmpp_2m"]


def ends(method, bound, steps):
    denoise = MixtureOracle(cosine())
    if bound:
        denoise = clip(denoise, -bound, bound, keep_eps=cosine())
    *_, last = trajectory(denoise, cosine(), X, method=method, spacing=np.linspace(0.95, 0.05, steps + 1))
    return last.x


@cache
def limit(bound):
    """Where the steps lead as they shrink, to within less than is measured: without the wrapper where it has nothing to do."""
    return ends("heun", None, 1000) if bound > 1 else ends("ddim", bound, 3000)


@pytest.mark.parametrize("bound", [100.0, 0.7, 0.3], ids=["inactive", "active", "more active"])
@pytest.mark.parametrize("method", METHODS_OF_ETA_0)
def test_every_method_converges_where_a_wrapper_keeps_eps(method, bound):
    if bound < 1:
        x, t = X, 0.5
        assert (clip(MixtureOracle(cosine()), -bound, bound)(x, t) != MixtureOracle(cosine())(x, t)).any(), "it is active"
    errors = [np.sqrt(((ends(method, bound, steps) - limit(bound)) ** 2).mean()) for steps in (10, 40, 160)]
    for few, many in pairwise(errors):
        assert many < few / 4**0.75, "first order at least, active or not"
    if method != "ddim" and bound > 1:
        assert errors[2] < errors[1] / 4**1.75, "second order where it has nothing to do"
