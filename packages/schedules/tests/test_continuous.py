"""Each formula at a few times with numbers of its own and with the papers' defaults, and the ends of what it takes."""

import math

import diffkit_schedules as ds
import numpy as np
import pytest

TIMES = (0.0, 0.1, 0.5, 0.8, 1.0)


def angles(alpha):
    return alpha, math.sqrt(max(0, 1 - alpha * alpha))


def cosine(s):
    def rates(t):
        return angles(math.cos(math.pi / 2 * (t + s) / (1 + s)) / math.cos(math.pi / 2 * s / (1 + s)))

    return rates


def offset(high, low):
    def rates(t):
        angle = math.acos(high) + t * (math.acos(low) - math.acos(high))
        return math.cos(angle), math.sin(angle)

    return rates


def linear(low, high):
    return lambda t: angles(math.exp(-(low * t + (high - low) * t * t / 2) / 2))


def sigmoid(start, end, tau):
    def logistic(u):
        return 1 / (1 + math.exp(-u / tau))

    def rates(t):
        now = logistic(start + t * (end - start))
        return angles(math.sqrt((logistic(end) - now) / (logistic(end) - logistic(start))))

    return rates


def karras(low, high, rho):
    return lambda t: (1.0, (low ** (1 / rho) + t * (high ** (1 / rho) - low ** (1 / rho))) ** rho)


CASES = [
    (ds.cosine(), cosine(0.008)),
    (ds.cosine(0.5), cosine(0.5)),
    (ds.cosine(0), cosine(0)),
    (ds.offset_cosine(), offset(0.95, 0.02)),
    (ds.offset_cosine(0.7, 0.1), offset(0.7, 0.1)),
    (ds.linear(), linear(0.1, 20.0)),
    (ds.linear(1.0, 3.0), linear(1.0, 3.0)),
    (ds.sigmoid(), sigmoid(-3.0, 3.0, 1.0)),
    (ds.sigmoid(-1.0, 2.0, 0.5), sigmoid(-1.0, 2.0, 0.5)),
    (ds.rectified(), lambda t: (1 - t, t)),
    (ds.karras(), karras(0.002, 80.0, 7.0)),
    (ds.karras(0.1, 5.0, 3.0), karras(0.1, 5.0, 3.0)),
]


@pytest.mark.parametrize(("schedule", "formula"), CASES, ids=[str(schedule) for schedule, _ in CASES])
def test_a_schedule_is_its_formula(schedule, formula):
    expected = [formula(t) for t in TIMES]
    assert [tuple(schedule(t)) for t in TIMES] == [pytest.approx(pair, rel=1e-9, abs=2e-8) for pair in expected]
    for dtype, tolerance in ((np.float64, 2e-8), (np.float32, 3e-4)):
        for rate, wanted in zip(schedule(np.array(TIMES, dtype)), np.array(expected).T, strict=True):
            assert rate.dtype == dtype
            np.testing.assert_allclose(rate, wanted, rtol=1e-5, atol=tolerance)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ds.cosine(-0.1), "s must be >= 0, got -0.1"),
        (lambda: ds.offset_cosine(0.5, 0.5), "need 0 <= min_signal < max_signal <= 1, got 0.5 and 0.5"),
        (lambda: ds.offset_cosine(1.1), "need 0 <= min_signal < max_signal <= 1, got 0.02 and 1.1"),
        (lambda: ds.offset_cosine(min_signal=-0.1), "need 0 <= min_signal < max_signal <= 1, got -0.1 and 0.95"),
        (lambda: ds.linear(-0.1), "need 0 <= beta_min <= beta_max, beta_max > 0, got beta_min=-0.1, beta_max=20.0"),
        (lambda: ds.linear(3, 1), "need 0 <= beta_min <= beta_max, beta_max > 0, got beta_min=3, beta_max=1"),
        (lambda: ds.linear(0, 0), "need 0 <= beta_min <= beta_max, beta_max > 0, got beta_min=0, beta_max=0"),
        (lambda: ds.sigmoid(3.0), "start must be < end, got start=3.0, end=3.0"),
        (lambda: ds.sigmoid(tau=0), "tau must be > 0, got 0"),
        (lambda: ds.karras(0), "need 0 < sigma_min < sigma_max, got sigma_min=0, sigma_max=80.0"),
        (lambda: ds.karras(3.0, 3.0), "need 0 < sigma_min < sigma_max, got sigma_min=3.0, sigma_max=3.0"),
        (lambda: ds.karras(rho=0), "rho must be > 0, got 0"),
    ],
)
def test_refusals(make, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        make()


@pytest.mark.parametrize(
    "make",
    [
        lambda: ds.offset_cosine(1.0, 0.0),
        lambda: ds.linear(0, 1),
        lambda: ds.linear(0.5, 0.5),
        lambda: ds.sigmoid(tau=0.5),
        lambda: ds.karras(rho=0.5),
    ],
)
def test_the_ends_of_the_ranges_are_taken(make):
    make()
