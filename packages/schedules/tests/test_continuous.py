"""Each schedule against its formula, with defaults and other parameters, and the ranges of its parameters."""

import math

import diffkit_schedules as ds
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

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
            assert (rate.dtype, rate.shape) == (dtype, (len(TIMES),))
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
def test_parameters_outside_their_range_are_refused(make, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        make()


@pytest.mark.parametrize(
    "make",
    [
        lambda: ds.cosine(0),
        lambda: ds.offset_cosine(1.0, 0.0),
        lambda: ds.linear(0, 1),
        lambda: ds.linear(0.5, 0.5),
        lambda: ds.sigmoid(tau=0.5),
        lambda: ds.karras(rho=0.5),
    ],
)
def test_the_ends_of_the_ranges_are_accepted(make):
    make()


@pytest.mark.parametrize(
    ("schedule", "start", "end"),
    [
        (ds.cosine(), (1, 0), (0, 1)),
        (ds.offset_cosine(), (0.95, math.sqrt(1 - 0.95**2)), (0.02, math.sqrt(1 - 0.02**2))),
        (ds.linear(), (1, 0), (math.exp(-10.05 / 2), math.sqrt(1 - math.exp(-10.05)))),
        (ds.sigmoid(), (1, 0), (0, 1)),
        (ds.rectified(), (1, 0), (0, 1)),
        (ds.karras(), (1, 0.002), (1, 80)),
        (ds.linear_betas(), (1, 0), (math.sqrt(4.0358e-5), math.sqrt(1 - 4.0358e-5))),
        (ds.zero_terminal_snr(ds.linear_betas()), (1, 0), (0, 1)),
        (ds.shift(ds.rectified(), 3.0), (1, 0), (0, 1)),
    ],
    ids=str,
)
def test_ends(schedule, start, end):
    assert schedule(0.0) == pytest.approx(start, rel=1e-12)
    assert schedule(1.0) == pytest.approx(end, rel=1e-5)
    assert (schedule(1.0).alpha == 0) == (end[0] == 0), "pure noise is exactly that, or not claimed"


@pytest.mark.parametrize("s", [0.0, 0.008, 0.3])
@given(t=st.floats(0, 1))
def test_cosine(s, t):
    quarter = math.pi / 2 / (1 + s)
    assert ds.cosine(s)(t).alpha == pytest.approx(math.cos(quarter * (t + s)) / math.cos(quarter * s), abs=1e-12)


@pytest.mark.parametrize(("most", "least"), [(0.95, 0.02), (1.0, 0.0), (0.8, 0.5)])
@given(t=st.floats(0, 1))
def test_offset_cosine(most, least, t):
    angle = math.acos(most) + t * (math.acos(least) - math.acos(most))
    assert ds.offset_cosine(most, least)(t) == pytest.approx((math.cos(angle), math.sin(angle)), abs=1e-12)


@pytest.mark.parametrize(("low", "high"), [(0.1, 20.0), (0.0, 5.0), (3.0, 3.0)])
@given(t=st.floats(0, 1))
def test_linear(low, high, t):
    assert ds.linear(low, high)(t).alpha ** 2 == pytest.approx(math.exp(-low * t - (high - low) * t * t / 2), rel=1e-12)


@pytest.mark.parametrize(("start", "end", "tau"), [(-3.0, 3.0, 1.0), (0.0, 3.0, 0.7), (-1.0, 2.0, 0.3)])
@given(t=st.floats(0, 1))
def test_sigmoid(start, end, tau, t):
    low, here, high = (1 / (1 + math.exp(-u / tau)) for u in (start, start + (end - start) * t, end))
    alpha, sigma = ds.sigmoid(start, end, tau)(t)
    assert alpha**2 == pytest.approx((high - here) / (high - low), abs=1e-12)
    assert alpha**2 + sigma**2 == pytest.approx(1, abs=1e-14)


@given(t=st.floats(0, 1))
def test_rectified(t):
    assert ds.rectified()(t) == (1 - t, t)


@pytest.mark.parametrize(("low", "high", "rho"), [(0.002, 80.0, 7.0), (0.01, 10.0, 3.0), (1.0, 16.0, 1.0)])
@given(t=st.floats(0, 1))
def test_karras(low, high, rho, t):
    assert ds.karras(low, high, rho)(t).alpha == 1
    assert ds.karras(low, high, rho)(t).sigma == pytest.approx(
        (low ** (1 / rho) * (1 - t) + t * high ** (1 / rho)) ** rho, rel=1e-12
    )


def test_numbers_by_hand():
    assert ds.karras(1.0, 16.0, 2.0)(0.5).sigma == pytest.approx(6.25, rel=1e-14)
    assert ds.karras()(0.5).sigma == pytest.approx(2.5152, rel=1e-4)
    assert ds.sigmoid(-2.0, 2.0)(0.25).alpha ** 2 == pytest.approx(0.8034, abs=1e-4)
    assert ds.offset_cosine(1.0, 0.0)(1 / 3) == pytest.approx((math.sqrt(3) / 2, 0.5), abs=1e-15)
    assert ds.cosine(0.0)(0.5) == pytest.approx((math.sqrt(0.5), math.sqrt(0.5)), abs=1e-15)
    assert ds.linear(2.0, 2.0)(0.5).alpha == pytest.approx(math.exp(-0.5), rel=1e-15)


def test_an_offset_cosine_may_end_in_pure_noise():
    assert ds.offset_cosine(min_signal=0.0)(1.0).alpha == 0
    with np.errstate(all="raise"):
        assert ds.offset_cosine(min_signal=0.0)(np.float32([1.0])).alpha[0] == 0


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: ds.cosine(s=-1), ValueError, "s must be >= 0, got -1"),
        (lambda: ds.cosine(s=math.nan), ValueError, "s must be >= 0, got nan"),
        (lambda: ds.offset_cosine(0.1, 0.9), ValueError, "need 0 <= min_signal < max_signal <= 1, got 0.9 and 0.1"),
        (lambda: ds.offset_cosine(0.5, 0.5), ValueError, "need 0 <= min_signal < max_signal <= 1, got 0.5 and 0.5"),
        (lambda: ds.offset_cosine(1.1), ValueError, "need 0 <= min_signal < max_signal <= 1, got 0.02 and 1.1"),
        (lambda: ds.offset_cosine(0.5, -0.1), ValueError, "need 0 <= min_signal < max_signal <= 1, got -0.1 and 0.5"),
        (lambda: ds.linear(3, 1), ValueError, "need 0 <= beta_min <= beta_max, beta_max > 0, got beta_min=3, beta_max=1"),
        (lambda: ds.linear(-1), ValueError, "need 0 <= beta_min <= beta_max, beta_max > 0, got beta_min=-1, beta_max=20.0"),
        (lambda: ds.linear(0, 0), ValueError, "need 0 <= beta_min <= beta_max, beta_max > 0, got beta_min=0, beta_max=0"),
        (lambda: ds.sigmoid(start=3), ValueError, "start must be < end, got start=3, end=3.0"),
        (lambda: ds.sigmoid(tau=0), ValueError, "tau must be > 0, got 0"),
        (lambda: ds.karras(sigma_min=0), ValueError, "need 0 < sigma_min < sigma_max, got sigma_min=0, sigma_max=80.0"),
        (lambda: ds.karras(2, 2), ValueError, "need 0 < sigma_min < sigma_max, got sigma_min=2, sigma_max=2"),
        (lambda: ds.karras(rho=0), ValueError, "rho must be > 0, got 0"),
    ],
)
def test_bad_parameters_are_refused(make, error, message):
    with pytest.raises(error) as caught:
        make()
    assert str(caught.value) == message
