"""DDIM, DDPM and ancestral sampling against the papers' formulas, exact samples and golden numbers."""

import math
from itertools import pairwise

import numpy as np
import pytest
from diffkit_samplers import (
    Estimate,
    clip,
    ddim,
    ddpm,
    denoiser,
    grid,
    seeded,
    step,
    trajectory,
)
from diffkit_samplers.testing import GaussianOracle, MixtureOracle
from diffkit_schedules import add_noise, cosine, discrete, karras, linear, linear_betas, offset_cosine, rectified


@pytest.mark.parametrize("eta", [0.0, 0.6, 1.0])
@pytest.mark.parametrize("method", ["ddim", "ddpm", "euler_ancestral"])
def test_each_step_mixes_x0_and_eps(method, eta, ddim_step, new_noise, half, initial, times):
    x, source = initial, new_noise()
    for state, (t, s) in zip(
        trajectory(half, rectified(), initial, method=method, eta=eta, spacing=times, noise=new_noise()),
        pairwise(times),
        strict=True,
    ):
        x0, z = half(x, t), source(x.shape) if eta else 0.0
        x = ddim_step(x, x0, t, s, z, eta)
        assert state.t == s
        np.testing.assert_allclose(state.x, x, rtol=1e-12)
        np.testing.assert_allclose(state.x0, x0, rtol=1e-12)


rng = np.random.default_rng(0)


@pytest.mark.parametrize("schedule", [cosine(), karras(), rectified()], ids=lambda s: type(s).__name__)
def test_ancestral_noise_is_the_formula_of_k_diffusion(schedule):
    (a, s), (a_then, s_then) = now, then = schedule(0.7), schedule(0.55)
    x, x0, z = rng.standard_normal((3, 5))
    high, low = s / a, s_then / a_then
    down = low**2 / high
    slope = (x / a - x0) / high
    expected = a_then * (x / a + (down - high) * slope + math.sqrt(low**2 - down**2) * z)
    np.testing.assert_allclose(step(x, x0, now, then, eta=1.0, noise=z), expected, rtol=1e-10)


SMOOTH = [cosine(), offset_cosine(), linear(), rectified()]


@pytest.mark.parametrize("schedule", SMOOTH, ids=str)
def test_ddim_is_of_first_order(schedule):
    oracle, x = GaussianOracle(schedule, mean=0.3, variance=0.5), np.linspace(-2, 2, 9)[:, None]
    exact = oracle.probability_flow(x, 0.9, 0.1)
    numbers, errors = [20, 40, 80, 160], []
    for n in numbers:
        *_, end = trajectory(oracle, schedule, x, spacing=np.linspace(0.9, 0.1, n + 1))
        errors.append(abs(end.x - exact).max())
    slope = np.polyfit(np.log(numbers), np.log(errors), 1)[0]
    assert slope == pytest.approx(-1, abs=0.08)


@pytest.mark.parametrize("schedule", [cosine(), linear_betas()], ids=["cosine", "linear_betas"])
def test_ddpm_samples_the_data(schedule):
    n = 20000
    oracle, source = GaussianOracle(schedule, mean=0.7, variance=0.25), seeded(range(4))
    samples = ddpm(oracle, schedule, source((4, n // 4)), steps=250, noise=source)
    assert samples.mean() == pytest.approx(0.7, abs=4 * 0.5 / n**0.5)
    assert samples.var() == pytest.approx(0.25, rel=0.06)


def test_ddim_maps_noise_to_the_mixture():
    oracle, source = MixtureOracle(cosine(), (-1.0, 0.5), (0.01, 0.04), (0.3, 0.7)), seeded(range(4))
    samples = ddim(oracle, cosine(), source((4, 5000)), steps=200)
    assert (samples < -0.5).mean() == pytest.approx(0.3, abs=0.02)
    assert samples[samples > -0.5].std() == pytest.approx(0.2, abs=0.02)


def test_ddim_samples_the_data_on_a_variance_exploding_schedule():
    schedule = karras()
    oracle, source = GaussianOracle(schedule, mean=0.2, variance=0.25), seeded(range(2))
    samples = ddim(oracle, schedule, 80 * source((2, 10000)), steps=200)
    assert samples.mean() == pytest.approx(0.2, abs=0.02)
    assert samples.std() == pytest.approx(0.5, abs=0.02)


def test_a_kept_eps_is_used():
    def denoise(x, t):
        return Estimate(np.zeros_like(x), np.ones_like(x))

    *_, end = trajectory(denoise, rectified(), np.full((1, 1), 9.0), spacing=[1.0, 0.5])
    assert end.x.tolist() == [[0.5]]


def test_a_kept_eps_is_mixed_with_x0(half, initial):
    eps = np.array([[0.3, -0.1], [1.0, 2.0]])
    (state,) = trajectory(lambda x, t: Estimate(half(x, t), eps), rectified(), initial, spacing=[0.9, 0.6])
    np.testing.assert_allclose(state.x, 0.4 * half(initial, 0.9) + 0.6 * eps, rtol=1e-12)


@pytest.mark.parametrize("steps", [5, 10, 20])
def test_at_few_steps_eta_zero_is_closer_to_the_data_than_eta_one(steps):
    schedule, rng = linear_betas(), np.random.default_rng(0)
    oracle = MixtureOracle(schedule, (-1.0, 0.5), (0.05, 0.1), (0.4, 0.6))
    kind = rng.random(20000) < 0.4
    data = np.sort(np.where(kind, rng.normal(-1.0, 0.05**0.5, 20000), rng.normal(0.5, 0.1**0.5, 20000)))

    def distance(eta):
        source = seeded(range(20))
        samples = ddim(oracle, schedule, source((20, 1000)), steps=steps, eta=eta, noise=source)
        return abs(np.sort(samples.ravel()) - data).mean()

    assert distance(0.0) < distance(1.0)


def golden(schedule, prediction, clipped):
    x = np.transpose((np.arange(768, dtype=np.float32) / 768).reshape(3, 8, 8, 4), (3, 0, 1, 2))
    denoise = denoiser(lambda x, i: x * i.reshape(-1, 1, 1, 1) / (i.reshape(-1, 1, 1, 1) + 1), schedule, prediction, "index")
    return x, clip(denoise, -1, 1, keep_eps=schedule) if clipped else denoise


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


def test_ddpm_visits_every_step_and_adds_no_noise_in_the_last():
    schedule = discrete(np.linspace(0.1, 0.9, 7))
    seen = []

    def denoise(x, t):
        seen.append(round(t * 7))
        return 0.5 * x

    draws = iter(rng.standard_normal((6, 3, 4)))
    out = ddpm(denoise, schedule, np.ones((3, 4)), noise=lambda shape: next(draws))
    assert seen == [7, 6, 5, 4, 3, 2, 1]
    assert next(draws, None) is None, "each step but the last adds noise"
    assert out.shape == (3, 4)


def test_grid_of_the_golden_runs():
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


def test_sampling_from_a_noised_image_stays_close_to_it():
    schedule, source = cosine(), seeded(range(50))
    oracle = MixtureOracle(schedule, (-1.0, 1.0), (0.01, 0.01), (0.5, 0.5))
    times = [t for t in grid(schedule, 40) if t <= 0.12]
    x = add_noise(np.full((50, 20), 0.9), source((50, 20)), schedule(times[0]))
    edited = ddim(oracle, schedule, x, spacing=times, eta=1.0, noise=source)
    assert edited.mean() == pytest.approx(1.0, abs=0.03), "all samples go to the mode next to the image"
    assert edited.std() == pytest.approx(0.1, abs=0.04)
