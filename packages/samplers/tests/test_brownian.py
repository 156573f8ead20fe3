"""Noise that agrees across step sizes: the path, its distribution, and runs that converge to one sample."""

import math
from itertools import pairwise

import numpy as np
import pytest
from diffkit_samplers import brownian, dpmpp_2m_sde, resample, seeded, trajectory
from diffkit_samplers.brownian import PATH_OFFSET, TICKS
from diffkit_samplers.testing import GaussianOracle, MixtureOracle
from diffkit_schedules import Rates, cosine, linear


def at(log_ratio):
    return Rates(math.exp(log_ratio), 1.0)


def last(denoise, steps, source, schedule=cosine()):  # noqa: B008
    times = [0.9 - 0.7 * k / steps for k in range(steps + 1)]
    x = seeded(range(4))((4, 50))
    return [state.x for state in trajectory(denoise, schedule, x, eta=1.0, spacing=times, noise=source)][-1]


def test_the_noise_of_a_long_step_is_that_of_its_parts():
    def denoise(x, t):
        return np.full_like(x, 0.3)

    one = last(denoise, 1, brownian(range(4)))
    assert abs(last(denoise, 64, brownian(range(4))) - one).max() < 0.1
    assert abs(last(denoise, 64, brownian(range(4))) - one).mean() < 0.02
    assert abs(last(denoise, 64, seeded(range(4))) - one).mean() > 0.2


def test_runs_of_one_seed_converge_to_one_sample():
    oracle = MixtureOracle(linear())

    def gap(source, steps):
        x = seeded(range(4))((4, 100))
        runs = [dpmpp_2m_sde(oracle, linear(), x, steps=n, spacing="log_snr", noise=source(range(4))) for n in (steps, 2 * steps)]
        return np.square(runs[0] - runs[1]).mean() ** 0.5

    gaps = [gap(brownian, steps) for steps in (10, 40, 160)]
    assert gaps[0] > 2 * gaps[1] > 4 * gaps[2]
    assert gap(seeded, 160) > 10 * gaps[2]


def test_noises_of_steps_are_standard_normal_and_independent():
    source, levels = brownian(range(4)), [-math.inf, -3.0, -2.9, -1.0, -0.5, 2.0, 2.0001, 30.0]
    rates = [Rates(0.0, 1.0), *(at(level) for level in levels[1:])]
    draws = np.stack([source.between(*pair)((4, 2000)).ravel() for pair in pairwise(rates)])
    assert abs(draws.mean(axis=1)).max() < 0.05
    assert abs(np.cov(draws) - np.eye(len(draws))).max() < 0.06
    assert abs(np.corrcoef(draws, source((4, 2000)).ravel())[-1, :-1]).max() < 0.06


def test_a_row_depends_on_its_seed_alone_and_not_on_what_was_asked_before():
    batch, alone = brownian([3, 9]), brownian([9])
    alone.between(at(-2.0), at(1.0))((1, 5))
    alone.between(at(0.3), at(0.4))((1, 2))
    found = batch.between(at(-1.0), at(-0.2))((2, 5))
    assert (found[1] == alone.between(at(-1.0), at(-0.2))((1, 5))[0]).all()
    assert batch.between(at(-1.0), at(-0.2))((2, 5)).dtype == np.float64
    assert brownian([3], like=np.ones(1, np.float32)).between(at(-1.0), at(1.0))((1, 5)).dtype == np.float32


def test_the_path_of_a_seed():
    z = brownian([5]).between(at(-1.0), at(0.5))((1, 3))
    np.testing.assert_allclose(z, [[-1.516915351990198, 1.1496253989269631, -0.6345383216045563]], rtol=1e-12)


def test_what_lies_on_the_way_is_drawn_once(monkeypatch):
    drawn = []
    monkeypatch.setattr("diffkit_samplers.noise.normal", lambda seeds, draw, shape: drawn.append(draw) or np.ones((1, *shape)))
    source = brownian([5])
    source.between(at(-1.0), at(1.0))((1, 3))
    first = len(drawn)
    source.between(at(-1.0), at(-0.999))((1, 3))
    assert len(drawn) < first + 12  # two ways of up to 16 halvings, without what is known of the way before
    assert drawn.count(PATH_OFFSET) == drawn.count(PATH_OFFSET + TICKS) == 1


def test_a_start_is_that_of_seeded_and_no_noise_of_steps():
    assert (brownian([3])((1, 9)) == seeded([3])((1, 9))).all()


def test_samples_have_the_variance_of_the_data():
    x, source = seeded(range(8))((8, 500)), brownian(range(8))
    oracle = GaussianOracle(cosine(), 0.5, 0.25)
    *_, end = trajectory(oracle, cosine(), x, eta=1.0, steps=100, noise=source)
    assert end.x0.std() == pytest.approx(0.5, abs=0.03)


def test_the_rounds_of_a_step_have_different_noise():
    drawn = []

    def denoise(x, t):
        drawn.append(x)
        return 0 * x

    method = resample("ddim", rounds=3)
    list(trajectory(denoise, cosine(), np.zeros((1, 50)), method=method, eta=1.0, spacing=[0.9, 0.5, 0.0], noise=brownian([1])))
    assert abs(np.corrcoef(drawn[1].ravel(), drawn[2].ravel())[0, 1]) < 0.5
