"""The check accepts every method and refuses each kind of wrong sampler."""

import numpy as np
import pytest
from diffkit_samplers import (
    METHODS,
    Estimate,
    ab_2,
    ab_3,
    ddim,
    ddpm,
    deis,
    deis_2,
    dpmpp_2m,
    dpmpp_2m_sde,
    dpmpp_2s_ancestral,
    dpmpp_3m,
    dpmpp_3m_sde,
    euler_ancestral,
    heun,
    heun_churn,
    lms,
    lms_3,
    trajectory,
    unipc_2,
    unipc_3,
)
from diffkit_samplers.testing import GaussianOracle, check_sampler
from diffkit_schedules import cosine, linear, linear_betas, offset_cosine, rectified

ORDERS = [(ddim, 1), (ddpm, 1), (euler_ancestral, 1), (heun, 2), (dpmpp_2m, 2), (dpmpp_2m_sde, 2)]
ORDERS += [(dpmpp_3m, 2), (dpmpp_3m_sde, 2), (unipc_2, 3), (unipc_3, 3), (deis, 2), (deis_2, 2)]
ORDERS += [(heun_churn, 2), (dpmpp_2s_ancestral, 2), (ab_2, 2), (ab_3, 2), (lms, 2), (lms_3, 2)]
OTHERS = [offset_cosine(), linear(), rectified(), linear_betas()]
CASES = [(*each, schedule) for k, each in enumerate(ORDERS) for schedule in (cosine(), OTHERS[k % len(OTHERS)])]
CONSISTENCY = {"lcm", "tcd"}
"""Methods for networks that answer alike along a path; their tests are in test_consistency.py."""


@pytest.mark.parametrize(("method", "order", "schedule"), CASES, ids=lambda each: getattr(each, "__name__", None))
def test_every_method_conforms(method, order, schedule):
    report = check_sampler(method, order, schedule=schedule)
    assert order - 0.25 < report.order < order + 0.9


def test_every_method_is_listed_with_its_order():
    assert {method.__name__ for method, _ in ORDERS} | CONSISTENCY == set(METHODS)


def broken(change):
    def method(denoise, schedule, x, *, steps, eta, spacing, noise):
        return change(denoise, schedule, x, steps=steps, eta=eta, spacing=spacing, noise=noise)

    return method


def in_place(denoise, schedule, x, **options):
    result = ddim(denoise, schedule, x, **options)
    x += options["steps"] == 3
    return result


def draws_in_vain(denoise, schedule, x, **options):
    if options["eta"]:
        options["noise"](x.shape)
    return ddim(denoise, schedule, x, **(options | {"eta": 0.0}))


def whole_grid(options, part):
    """Of a grid from t = 1 to 0 a part, of another grid all."""
    times = options["spacing"]
    return {"spacing": times[part] if not isinstance(times, str) and (times[0], times[-1]) == (1, 0) else times}


def returns_the_state(denoise, schedule, x, **options):
    """The state before the last step to t = 0, not the x0 that is seen from there."""
    states = list(trajectory(denoise, schedule, x, **options))
    return states[-2].x if options["spacing"][-1] == 0 else states[-1].x0


def biased_on(first, last):
    """A method with an error that does not vanish on grids that begin and end so."""

    def method(denoise, schedule, x, **options):
        times = options["spacing"]
        found = heun(denoise, schedule, x, **options)
        wrong = not isinstance(times, str) and options["eta"] == 0 and (times[0] == 1, times[-1] == 0) == (first, last)
        return found + 0.01 if wrong else found

    return method


def drops_eps(denoise, schedule, x, **options):
    def x0_alone(x, t):
        found = denoise(x, t)
        return found.x0 if isinstance(found, Estimate) else found

    return ddim(x0_alone, schedule, x, **options)


def shifts_the_mean(denoise, schedule, x, **options):
    found = ddim(denoise, schedule, x, **options)
    return found - found.mean() + 0.5 if options["eta"] == 1 else found


def doubles_the_noise_of_a_wrapped_denoiser(denoise, schedule, x, **options):
    double = options | {"noise": lambda shape: 2 * options["noise"](shape)}
    return ddim(denoise, schedule, x, **(options if isinstance(denoise, GaussianOracle) else double))


@pytest.mark.parametrize(
    ("method", "message"),
    [
        (biased_on(first=True, last=False), r"its order on grids from t = 1 is -?0\.\d\d, not at least 1"),
        (biased_on(first=False, last=True), r"its order on grids to t = 0 is -?0\.\d\d, not at least 1"),
        (lambda d, s, x, **o: ddim(d, s, np.round(x, 3), **o), "at eta = 0 the log-density of its samples is off by inf nats"),
        (drops_eps, r"where denoise keeps eps, its state is off by \d\.\d+: see Estimate"),
        (shifts_the_mean, "given a measurement, the mean of its samples at eta = 1 is off by"),
        (doubles_the_noise_of_a_wrapped_denoiser, "given a measurement, the variance of its samples at eta = 1 is off by"),
        (lambda d, s, x, **o: ddim(d, s, x, **o) * 1.05, "order of accuracy is"),
        (lambda d, s, x, **o: ddim(lambda x, t: d(x, 0.97 * t), s, x, **o), "order of accuracy is"),
        (
            lambda d, s, x, **o: ddim(d, s, x, **(o | {"eta": 0.0})) if o["eta"] == 0 else 0.9 * ddim(d, s, x, **o),
            "the mean of its",
        ),
        (lambda d, s, x, **o: ddim(d, s, x, **(o | {"noise": lambda shape: 1.1 * o["noise"](shape)})), "the variance of its"),
        (lambda d, s, x, **o: ddim(d, s, x, **(o | {"noise": lambda shape: 1.3 * o["noise"](shape)})), "at eta = 0.5 the corr"),
        (lambda d, s, x, **o: ddim(d, s, x, **(o | {"eta": 0.0})), "at eta = 0.5 it does not use its noise"),
        (lambda d, s, x, **o: heun(d, s, x, **(o | {"eta": 0.0})), "at eta = 0.5 it does not use its noise"),
        (lambda d, s, x, **o: ddim(d, s, x, **(o | {"noise": None})), "at eta = 0.5 it does not use its noise"),
        (draws_in_vain, "at eta = 0.5 the correlation of its samples with their starts is 1.00, not 0.54"),
        (lambda d, s, x, **o: ddim(d, s, x, **(o | {"eta": o["eta"] ** 0.5})), "is 0.30, not 0.54"),
        (lambda d, s, x, **o: ddim(d, s, x, **(o | {"eta": min(o["eta"], 0.5)})), "at eta = 1 the correlation"),
        (lambda d, s, x, **o: ddim(d, s, x, **(o | whole_grid(o, slice(None, -1)))), "from t = 1 to 0 in 2 steps its error is"),
        (returns_the_state, "from t = 1 to 0 in 2 steps its error is"),
        (
            lambda d, s, x, **o: ddim(d, s, x, **(o if o["spacing"] != "uniform" else o | {"spacing": "leading"})),
            "its first evaluation is at",
        ),
        (lambda d, s, x, **o: ddim(d, s, x, **o).astype(np.float64), "it returns float64"),
        (in_place, "it changes x in place"),
        (
            lambda d, s, x, **o: ddim(d, s, x, **o) + (0 if o["eta"] == 0 or len(x) > 1 else 1e-3),
            "a sample depends on its batch",
        ),
    ],
)
def test_a_wrong_sampler_is_refused(method, message):
    with pytest.raises(AssertionError, match=message) as caught:
        check_sampler(broken(method))
    assert "\n" not in str(caught.value)


def test_a_first_order_method_is_not_of_second_order():
    with pytest.raises(AssertionError, match=r"its order of accuracy is (0\.9|1\.0)\d, not 2"):
        check_sampler(ddim, order=2)
