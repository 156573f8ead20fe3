"""One step against the papers' formulas."""

import math

import numpy as np
import pytest
from diffkit_samplers import (
    step,
)
from diffkit_schedules import Rates, cosine, linear_betas, rectified
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(("t", "s"), [(999, 998), (487, 486), (1, 0)])
def test_fixed_large_has_the_variance_beta(t, s):
    table = linear_betas()
    now, then = table((t + 1) / 1000), table((s + 1) / 1000)
    zero, one = np.zeros(1), np.ones(1)
    beta = 1 - table.alphas_cumprod[t] / table.alphas_cumprod[s]
    large = step(zero, zero, now, then, eta=1.0, noise=one, variance_interpolation=1.0)[0] ** 2
    small = step(zero, zero, now, then, eta=1.0, noise=one)[0] ** 2
    assert large == pytest.approx(beta, rel=1e-9)
    assert small == pytest.approx(beta * (1 - table.alphas_cumprod[s]) / (1 - table.alphas_cumprod[t]), rel=1e-9)
    f = np.array([0.3])
    between = step(zero, zero, now, then, eta=1.0, noise=one, variance_interpolation=f)[0] ** 2
    assert math.log(between) == pytest.approx(0.3 * math.log(large) + 0.7 * math.log(small), rel=1e-9)


rng = np.random.default_rng(0)


X, X0, Z = rng.standard_normal((3, 2, 3, 4))


def bar(index):
    return float(linear_betas().alphas_cumprod[index])


def at(index):
    return linear_betas()((index + 1) / 1000)


@pytest.mark.parametrize("eta", [0.0, 0.3, 1.0])
@pytest.mark.parametrize(("t", "s"), [(999, 899), (420, 400), (1, 0)])
def test_ddim_is_the_papers_formula(t, s, eta):
    a, p = bar(t), bar(s)
    eps = (X - math.sqrt(a) * X0) / math.sqrt(1 - a)
    deviation = eta * math.sqrt((1 - p) / (1 - a)) * math.sqrt(1 - a / p)
    expected = math.sqrt(p) * X0 + math.sqrt(1 - p - deviation**2) * eps + deviation * Z
    np.testing.assert_allclose(step(X, X0, at(t), at(s), eta=eta, noise=Z), expected, rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize(("t", "s"), [(999, 998), (487, 486), (1, 0)])
def test_eta_one_is_the_ddpm_posterior(t, s):
    a, p = bar(t), bar(s)
    beta = 1 - a / p
    mean = math.sqrt(p) * beta / (1 - a) * X0 + math.sqrt(a / p) * (1 - p) / (1 - a) * X
    expected = mean + math.sqrt((1 - p) / (1 - a) * beta) * Z
    np.testing.assert_allclose(step(X, X0, at(t), at(s), eta=1.0, noise=Z), expected, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize(
    ("t", "s", "variance"), [(420, 400, 0.14771), (980, 960, 0.32460), (487, 486, 0.00979), (999, 998, 0.02)]
)
def test_golden_variances(t, s, variance):
    zero, one = np.zeros(1), np.ones(1)
    assert step(zero, zero, at(t), at(s), eta=1.0, noise=one)[0] ** 2 == pytest.approx(variance, abs=1e-5)


@given(t=st.floats(0.05, 1.0), part=st.floats(0.0, 0.99))
def test_ddim_on_the_rectified_schedule_is_euler(t, part):
    s = t * part
    velocity = (X - X0) / t
    np.testing.assert_allclose(step(X, X0, rectified()(t), rectified()(s)), X + (s - t) * velocity, atol=1e-12)


def test_from_pure_noise_and_to_clean_data():
    noise, clean, middle = Rates(0.0, 1.0), Rates(1.0, 0.0), Rates(0.6, 0.8)
    np.testing.assert_allclose(step(X, X0, noise, middle), 0.6 * X0 + 0.8 * X, atol=1e-15)
    np.testing.assert_allclose(step(X, X0, noise, middle, eta=1.0, noise=Z), 0.6 * X0 + 0.8 * Z, atol=1e-15)
    np.testing.assert_allclose(step(X, X0, middle, clean), X0, atol=1e-15)
    np.testing.assert_allclose(step(X, X0, noise, clean, eta=1.0), X0, atol=1e-15)


def test_a_step_back_inverts_a_step():
    now, then = cosine()(0.7), cosine()(0.4)
    np.testing.assert_allclose(step(step(X, X0, now, then), X0, then, now), X, atol=1e-14)


def test_a_kept_eps_is_used():
    expected = 0.8 * X0 + 0.6 * Z
    np.testing.assert_allclose(step(X, X0, Rates(0.6, 0.8), Rates(0.8, 0.6), eps=Z), expected, atol=1e-15)


def test_no_argument_is_changed_in_place():
    x, x0 = X.copy(), X0.copy()
    step(x, x0, Rates(0.6, 0.8), Rates(0.8, 0.6), eta=1.0, noise=Z)
    assert (x == X).all()
    assert (x0 == X0).all()


@pytest.mark.parametrize(
    ("now", "then", "eta", "message"),
    [
        (Rates(0.6, 0.8), Rates(0.8, 0.6), 1.5, r"eta must be in \[0, 1\] .*, got 1.5"),
        (Rates(0.6, 0.8), Rates(0.8, 0.6), math.nan, "eta must be"),
        (Rates(0.6, 0.8), Rates(0.8, 0.6), 1.0, "eta = 1.0 adds noise: pass noise"),
        (Rates(0.8, 0.6), Rates(0.6, 0.8), 0.5, "eta must be 0 in a step to a noisier level, got 0.5"),
        (Rates(1.0, 0.0), Rates(0.6, 0.8), 0.0, "step must start from noisy data"),
    ],
)
def test_bad_arguments_are_refused(now, then, eta, message):
    with pytest.raises(ValueError, match=message):
        step(X, X0, now, then, eta=eta)
