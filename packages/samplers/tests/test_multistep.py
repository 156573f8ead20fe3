"""The weights of a multistep step: exact for polynomials, and finite at both ends of a grid."""

import math

import numpy as np
import pytest
from diffkit_samplers import METHODS, dpmpp_3m, sampler, step, trajectory
from diffkit_samplers.multistep import decay_of, level, mean_weights, multistep
from diffkit_samplers.testing import GaussianOracle, check_sampler
from diffkit_schedules import Rates, cosine, linear, rectified, times_of

POINTS, MASSES = np.polynomial.legendre.leggauss(40)


def mean(function, begin, end, density):
    """The mean of a function of l over begin ... end with density exp(density l), by quadrature."""
    u = (begin + end) / 2 + (end - begin) / 2 * POINTS
    masses = MASSES * np.exp(density * (u - end))
    return float((masses * function(u)).sum() / masses.sum())


@pytest.mark.parametrize(("name", "order"), [("unipc_2", 2), ("unipc_3", 3)])
def test_more_history_changes_no_corrected_step(name, order):
    schedule, x = cosine(), np.array([[0.7, -1.0]])
    method = sampler(history=None)(lambda x, step: multistep(x, step, order, corrected=True))
    oracle = GaussianOracle(schedule)
    assert (method(oracle, schedule, x, steps=9) == METHODS[name](oracle, schedule, x, steps=9)).all()


@pytest.mark.parametrize("eta", [0.0, 0.6, 1.0])
def test_a_step_through_three_estimates_is_exact_for_a_quadratic(eta):
    schedule, times = cosine(), [0.9, 0.8, 0.6, 0.35]

    def quadratic(u):
        return 0.7 - 1.3 * u + 0.4 * u**2

    def denoise(x, t):
        return quadratic(level(schedule(t))) + 0 * x

    source = lambda shape: np.full(shape, 0.3)  # noqa: E731
    states = list(trajectory(denoise, schedule, np.ones(1), method=dpmpp_3m, eta=eta, spacing=times, noise=source))
    now, then = schedule(times[2]), schedule(times[3])
    begin, end = level(now), level(then)
    x0 = mean(quadratic, begin, end, decay_of(now, then, eta) / (end - begin))
    np.testing.assert_allclose(states[2].x, step(states[1].x, x0 + np.zeros(1), now, then, eta=eta, noise=source), rtol=1e-12)


@pytest.mark.parametrize("at", [[0.0], [0.0, -0.7], [0.0, -0.3, -2.0], [1.0, 0.0, -0.5, -0.8]])
@pytest.mark.parametrize("decay", [-3.0, 1e-4, 0.3, 40.0])
def test_weights_are_the_means_of_lagranges_polynomials(at, decay):
    weights = mean_weights(at, decay)
    for degree in range(len(at)):
        expected = mean(lambda u, k=degree: u**k, 0.0, 1.0, decay)
        assert sum(w * u**degree for w, u in zip(weights, at, strict=True)) == pytest.approx(expected, rel=1e-11)


def test_the_decay_is_what_a_step_keeps_of_the_noise():
    now, then = Rates(0.6, 0.8), Rates(0.8, 0.6)
    for eta in (0.0, 0.3, 1.0):
        kept = step(np.ones(1), np.zeros(1), now, then, eta=eta, noise=np.zeros(1)) * now.alpha / then.alpha
        assert math.exp(-decay_of(now, then, eta)) == pytest.approx(float(kept[0]))
    assert decay_of(Rates(0.0, 1.0), then, 0.5) == decay_of(now, Rates(1.0, 0.0), 1.0) == math.inf


@sampler(history=2)
def started(x, step):
    """DPM-Solver++(3M) whose first step is a midpoint step: a DDIM step has an error of second order."""
    if step.history:
        return multistep(x, step, 3)
    (middle,) = times_of(step.schedule, [level(step.now) + level(step.then)]) if step.now.alpha and step.s else (step.s,)
    return step.advance(x, step.evaluate(step.ending(middle).advance(x, eta=0.0), middle).x0)


@pytest.mark.parametrize("schedule", [cosine(), linear(), rectified()], ids=lambda s: type(s).__name__)
def test_three_estimates_are_of_third_order_after_a_start_of_second_order(schedule):
    assert check_sampler(started, order=3, schedule=schedule).order == pytest.approx(3, abs=0.25)


def test_equal_levels_and_infinite_ones_are_left_out():
    def bounded(t):
        return rectified()(min(max(t, 0.3), 0.6))

    for schedule, times in ((rectified(), [1.0, 0.9, 0.6, 0.3, 0.0]), (bounded, [0.9, 0.7, 0.6, 0.4, 0.3, 0.2, 0.1])):
        for order in (1, 2, 3):
            method = sampler()(lambda x, step, order=order: multistep(x, step, order, corrected=True))
            states = list(trajectory(GaussianOracle(schedule), schedule, np.ones(2), method=method, spacing=times))
            assert np.isfinite([state.x for state in states]).all()
