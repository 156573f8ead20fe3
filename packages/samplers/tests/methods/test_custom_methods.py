"""Methods that a reader may write, each a single update: a third-order multistep, and stochastic churn."""

import math

import numpy as np
import pytest
from diffkit_samplers import ddim, heun, sampler, seeded
from diffkit_samplers.testing import GaussianOracle, MixtureOracle, check_sampler
from diffkit_schedules import combine, cosine, karras, linear, rectified, times_of


@sampler()
def dpmpp_3m(x, step):
    """DPM-Solver++(3M): x0 as a quadratic in log-SNR through the last three estimates, integrated exactly.

    The first step is a midpoint step: a DDIM step would limit the order to 2. Source: Lu et al. 2022 (DPM-Solver++), appendix B.
    """
    times = [step.then, step.now, *(each.rates for each in step.history[:2])]
    levels = [rates.log_snr / 2 for rates in times]
    if not all(math.isfinite(level) for level in levels[:2]):
        return step.advance(x)
    h, x0 = levels[0] - levels[1], step.estimate.x0
    known = sum(math.isfinite(level) for level in levels[2:])
    if known == 0:
        (middle,) = times_of(step.schedule, [levels[0] + levels[1]])
        return step.advance(x, step.evaluate(step.ending(middle).advance(x, eta=0.0), middle).x0)
    # the integrals of exp(u - h), u exp(u - h) and u^2 exp(u - h) / 2 over a step, over the first one
    first = -math.expm1(-h)
    second = (h - first) / first
    third = (h * h / 2 - h + first) / first
    previous = step.history[0].estimate.x0
    slope = (x0 - previous) / (levels[1] - levels[2])
    if known == 1:
        return step.advance(x, combine(1.0, x0, second, slope))
    earlier_slope = (previous - step.history[1].estimate.x0) / (levels[2] - levels[3])
    curvature = 2 * (slope - earlier_slope) / (levels[1] - levels[3])
    slope = slope + curvature * (levels[1] - levels[2]) / 2
    return step.advance(x, x0 + second * slope + third * curvature)


@pytest.mark.parametrize("schedule", [cosine(), linear(), rectified()], ids=lambda s: type(s).__name__)
def test_a_third_order_multistep_is_of_third_order(schedule):
    assert check_sampler(dpmpp_3m, order=3, schedule=schedule).order == pytest.approx(3, abs=0.25)


def test_a_third_order_multistep_makes_one_evaluation_more_than_steps():
    seen = []
    oracle = GaussianOracle(cosine())
    dpmpp_3m(lambda x, t: seen.append(t) or oracle(x, t), cosine(), np.ones((1, 2)), spacing=np.linspace(0.9, 0.1, 11))
    assert len(seen) == 11


def churned(churn):
    @sampler(history=0)
    def stochastic_heun(x, step):
        """Algorithm 2 of Karras et al. 2022: noise added before each Heun step, where alpha = 1."""
        sigma = step.now.sigma * (1 + churn)
        (t,) = times_of(step.schedule, [-2 * math.log(sigma)])
        if churn and t < 1:
            x = x + math.sqrt(sigma**2 - step.now.sigma**2) * step.noise(x.shape)
            step = step.starting(x, t)
        return heun.update(x, step)

    return stochastic_heun


def test_churn_zero_is_heun():
    x = 80 * seeded([1, 2])((2, 5))
    oracle = MixtureOracle(karras())
    assert (churned(0.0)(oracle, karras(), x, steps=10) == heun(oracle, karras(), x, steps=10)).all()


def test_churn_keeps_the_distribution_and_changes_the_samples():
    oracle, source = GaussianOracle(karras(), mean=0.5, variance=0.25), seeded(range(8))
    x = 80 * source((8, 5000))
    samples = churned(0.1)(oracle, karras(), x, steps=60, noise=source)
    assert samples.mean() == pytest.approx(0.5, abs=0.03)
    assert samples.std() == pytest.approx(0.5, abs=0.03)
    kept = np.corrcoef(samples.ravel(), x.ravel())[0, 1]
    assert kept < 0.6
    assert np.corrcoef(ddim(oracle, karras(), x, steps=60).ravel(), x.ravel())[0, 1] > 0.99
