"""Resampling: the generated part given the known one, against the exact answer."""

import numpy as np
import pytest
from diffkit_samplers import METHODS, inpaint, resample, seeded, trajectory
from diffkit_samplers.testing import GaussianOracle
from diffkit_schedules import cosine, linear_betas, rectified

MEAN, VARIANCE = 1.35, 0.19
"""Of the second of two numbers of variance 1 and correlation 0.9, where the first is 1.5."""


COUNT = 4000


def pair(schedule):
    """E[x0 | x_t] of two numbers of variance 1 and correlation 0.9."""
    covariance = np.array([[1, 0.9], [0.9, 1]])

    def denoise(x, t):
        alpha, sigma, *_ = schedule(t)
        return x @ np.linalg.solve(alpha**2 * covariance + sigma**2 * np.eye(2), alpha * covariance)

    return denoise


def generated(schedule, rounds, eta, steps=20):
    noise = np.random.default_rng(0).standard_normal
    x = schedule(1.0).sigma * noise((COUNT, 2))
    filled = inpaint(pair(schedule), known=np.array([1.5, 0]), mask=np.array([1, 0]))
    method = resample("ddim", rounds)
    *_, last = trajectory(filled, schedule, x, method=method, steps=steps, eta=eta, noise=noise)
    assert (last.x0[:, 0] == 1.5).all()
    return last.x0[:, 1]


@pytest.mark.parametrize("eta", [0.0, 1.0])
@pytest.mark.parametrize("make", [cosine, linear_betas])
def test_more_rounds_fit_the_generated_part_to_the_known_one(make, eta):
    off = [abs(generated(make(), rounds, eta).mean() - MEAN) for rounds in (1, 3, 10)]
    assert off[0] > 0.25, "with one round it depends little on the known part"
    assert off[0] > 1.5 * off[1] > 2.5 * off[2]
    many = generated(make(), 40, eta, steps=50)
    assert many.mean() == pytest.approx(MEAN, abs=0.05)
    assert many.var() == pytest.approx(VARIANCE, abs=0.06)


@pytest.mark.parametrize("method", METHODS)
def test_one_round_is_the_method_itself(method):
    oracle, eta = GaussianOracle(cosine(), mean=0.5, variance=0.04), METHODS[method].eta
    x = seeded(range(3))((3, 5))
    one, other = (
        [state.x for state in trajectory(oracle, cosine(), x, method=each, steps=8, eta=eta, noise=seeded(range(3)))]
        for each in (method, resample(method, 1))
    )
    assert all((a == b).all() for a, b in zip(one, other, strict=True))
    assert resample(method, 1).history == METHODS[method].history


@pytest.mark.parametrize("method", ["ddim", "heun", "dpmpp_2m"])
def test_rounds_keep_the_distribution_of_the_samples(method):
    """With nothing known, mean and variance are the data's."""
    oracle, noise = GaussianOracle(cosine(), mean=0.5, variance=0.04), seeded(range(8))
    *_, last = trajectory(oracle, cosine(), noise((8, 5000)), method=resample(method, 5), steps=50, noise=noise)
    assert last.x0.mean() == pytest.approx(0.5, abs=0.01)
    assert last.x0.std() == pytest.approx(0.2, abs=0.025)


def test_a_step_is_repeated_from_the_state_noised_back():
    def half(x, t):
        return 0.5 * x * t

    x = np.array([[1.0, -3.0], [0.5, 2.0]])
    numbers, same = np.random.default_rng(3), np.random.default_rng(3)
    options = {"spacing": [0.8, 0.4, 0.0], "noise": numbers.standard_normal}
    first, last = trajectory(half, rectified(), x, method=resample("ddim", 3), **options)
    for repetition in range(3):
        x0 = half(x, 0.8)
        x_s = 0.6 * x0 + 0.4 * (x - 0.2 * x0) / 0.8
        if repetition < 2:
            x = x_s / 3 + np.sqrt(0.8**2 - (0.4 / 3) ** 2) * same.standard_normal((2, 2))
    np.testing.assert_allclose(first.x, x_s, rtol=1e-12)
    np.testing.assert_allclose(last.x, half(x_s, 0.4), rtol=1e-12)
    assert numbers.random() == same.random(), "no further noise is generated"


def test_a_multistep_method_runs_as_ddim():
    x, times = np.array([[1.0, -3.0]]), [0.9, 0.6, 0.3, 0.1]
    one, other = (
        [state.x for state in trajectory(pair(cosine()), cosine(), x, method=each, spacing=times, noise=seeded([1]))]
        for each in (resample("dpmpp_2m", 2), resample("ddim", 2))
    )
    np.testing.assert_allclose(one, other, rtol=1e-12)


def test_a_sample_depends_on_its_seed_alone():
    def state(seeds):
        noise = seeded(seeds)
        *_, last = trajectory(pair(cosine()), cosine(), noise((len(seeds), 2)), method=resample("ddim", 3), noise=noise)
        return last.x0

    np.testing.assert_allclose(state([5, 6, 7])[2], state([7])[0], rtol=1e-12)


def test_number_of_evaluations():
    calls = []

    def denoise(x, t):
        calls.append(t)
        return 0 * x

    for _ in trajectory(denoise, cosine(), np.ones((1, 2)), method=resample("ddim", 4), steps=5):
        pass
    assert len(calls) == 4 * 4 + 1
    assert calls == sorted(calls, reverse=True)
    calls.clear()
    for _ in trajectory(denoise, cosine(), np.ones((1, 2)), method=resample("ddim"), steps=2):
        pass
    assert len(calls) == 10 + 1, "ten rounds by default"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("ddim", 0), "^rounds must be at least 1, got 0$"),
        (("ddin", 2), r"^sampler must be one of ddim, ddpm, .*; got 'ddin', did you mean 'ddim'\?$"),
    ],
)
def test_bad_rounds_and_unknown_methods_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        resample(*arguments)
