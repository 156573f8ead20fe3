"""One step against the papers' formulas, and the golden numbers of whole runs."""

import math

import numpy as np
import pytest
from diffkit_samplers import Estimate, clip, ddim, ddpm, denoiser, grid, step, trajectory
from diffkit_schedules import Rates, cosine, discrete, linear_betas, rectified, to_eps
from hypothesis import given
from hypothesis import strategies as st

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


def golden(schedule, prediction, clipped):
    x = np.transpose((np.arange(768, dtype=np.float32) / 768).reshape(3, 8, 8, 4), (3, 0, 1, 2))
    denoise = denoiser(lambda x, i: x * i.reshape(-1, 1, 1, 1) / (i.reshape(-1, 1, 1, 1) + 1), schedule, prediction, "index")
    denoise = clip(denoise, -1, 1, keep_eps=schedule) if clipped else denoise
    return x, denoise


@pytest.mark.parametrize(
    ("schedule", "prediction", "total"),
    [(linear_betas(), "eps", 172.0067), (linear_betas(), "v", 52.5302), (linear_betas(start=0.01), "eps", 149.8295)],
)
def test_golden_runs(schedule, prediction, total):
    x, denoise = golden(schedule, prediction, clipped=True)
    assert abs(ddim(denoise, schedule, x, steps=10, spacing="leading")).sum() == pytest.approx(total, abs=1e-2)


def test_golden_run_that_ends_at_the_first_entry():
    schedule = linear_betas(start=0.01)
    x, denoise = golden(schedule, "eps", clipped=True)
    for state in trajectory(denoise, schedule, x, steps=10, spacing="leading"):
        if state.t == 1 / 1000:
            first = schedule(state.t)
            x0, eps, _ = denoise(state.x, state.t)
            assert abs(step(state.x, x0, first, first, eps=eps)).sum() == pytest.approx(149.0784, abs=1e-2)
            break
    else:
        pytest.fail("the grid has no t = 1/1000")


@given(t=st.floats(0.05, 1.0), part=st.floats(0.0, 0.99))
def test_ddim_on_the_straight_line_is_euler(t, part):
    s = t * part
    velocity = (X - X0) / t
    np.testing.assert_allclose(step(X, X0, rectified()(t), rectified()(s)), X + (s - t) * velocity, atol=1e-12)


def test_from_pure_noise_and_to_clean_data():
    noise, clean, middle = Rates(0.0, 1.0), Rates(1.0, 0.0), Rates(0.6, 0.8)
    np.testing.assert_allclose(step(X, X0, noise, middle), 0.6 * X0 + 0.8 * X, atol=1e-15)
    np.testing.assert_allclose(step(X, X0, noise, middle, eta=1.0, noise=Z), 0.6 * X0 + 0.8 * Z, atol=1e-15)
    np.testing.assert_allclose(step(X, X0, middle, clean), X0, atol=1e-15)
    np.testing.assert_allclose(step(X, X0, noise, clean, eta=1.0), X0, atol=1e-15)


def test_there_and_back():
    now, then = cosine()(0.7), cosine()(0.4)
    np.testing.assert_allclose(step(step(X, X0, now, then), X0, then, now), X, atol=1e-14)


def test_a_kept_eps_is_used():
    expected = 0.8 * X0 + 0.6 * Z
    np.testing.assert_allclose(step(X, X0, Rates(0.6, 0.8), Rates(0.8, 0.6), eps=Z), expected, atol=1e-15)


def test_clip_keeps_or_derives_eps():
    schedule, x = cosine(), np.array([[3.0]])
    wide = denoiser(lambda x, c: 0 * x, schedule, "eps")
    assert clip(wide)(x, 0.5).tolist() == [[1.0]]
    kept = clip(wide, keep_eps=schedule)(x, 0.5)
    assert isinstance(kept, Estimate)
    np.testing.assert_allclose(kept.eps, to_eps(0 * x, x, schedule(0.5), "eps"), atol=1e-14)
    with pytest.raises(ValueError, match="low must be < high, got low=1, high=1"):
        clip(wide, 1, 1)


def test_ddpm_is_ddim_at_eta_one_over_every_step():
    schedule = discrete(np.linspace(0.1, 0.9, 7))
    seen = []

    def denoise(x, t):
        seen.append(round(t * 7))
        return 0.5 * x

    draws = iter(rng.standard_normal((6, 3, 4)))
    out = ddpm(denoise, schedule, X[0], noise=lambda shape: next(draws))
    assert seen == [7, 6, 5, 4, 3, 2, 1]
    assert next(draws, None) is None, "no noise goes into the last step, and some into each before"
    assert out.shape == (3, 4)


def test_nothing_is_changed_in_place():
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
        (Rates(0.8, 0.6), Rates(0.6, 0.8), 0.5, "eta must be 0 for a step towards noise, got 0.5"),
        (Rates(1.0, 0.0), Rates(0.6, 0.8), 0.0, "step needs noise to start from"),
    ],
)
def test_what_a_step_refuses(now, then, eta, message):
    with pytest.raises(ValueError, match=message):
        step(X, X0, now, then, eta=eta)


def test_the_golden_grid():
    assert [round(1000 * t) - 1 for t in grid(linear_betas(), 10, "leading")] == [
        900,
        800,
        700,
        600,
        500,
        400,
        300,
        200,
        100,
        0,
        -1,
    ]
