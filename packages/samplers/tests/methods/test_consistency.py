"""LCM and TCD: their formulas, and exact samples from an exact consistency function."""

import math

import numpy as np
import pytest
from diffkit_samplers import ddim, lcm, seeded, tcd, trajectory
from diffkit_samplers.testing import GaussianOracle
from diffkit_schedules import cosine, karras, linear_betas, offset_cosine, rectified


@pytest.mark.parametrize("schedule", [cosine(), linear_betas()], ids=["cosine", "linear_betas"])
def test_lcm_adds_new_noise_to_x0(schedule, half, initial, new_noise):
    times, z = [1.0, 0.5, 0.25], new_noise()
    states = trajectory(half, schedule, initial, method="lcm", spacing=times, noise=new_noise())
    for state, s in zip(states, times[1:], strict=True):
        alpha, sigma = schedule(s)
        np.testing.assert_allclose(state.x, alpha * state.x0 + sigma * z((2, 2)), rtol=1e-12)


def test_tcd_goes_to_a_fraction_of_the_time_and_back(half, initial, ddim_step, new_noise):
    (state,) = trajectory(half, rectified(), initial, method="tcd", spacing=[0.8, 0.5], eta=0.3, noise=new_noise())
    below = ddim_step(initial, 0.4 * initial, 0.8, 0.35)
    ratio = 0.5 / 0.65
    np.testing.assert_allclose(state.x, ratio * below + math.sqrt(0.25 - (ratio * 0.35) ** 2) * new_noise()((2, 2)), rtol=1e-12)


def test_on_a_table_the_earlier_time_is_the_entry_below(half, initial, new_noise):
    schedule = linear_betas(10, end=0.5)
    (state,) = trajectory(half, schedule, initial, method="tcd", spacing=[1.0, 0.6], eta=0.3, noise=new_noise())
    (alpha_t, sigma_t), (alpha_s, sigma_s), (alpha, sigma) = schedule(1.0), schedule(0.6), schedule(0.4)  # index floor(0.7 * 5)
    below = alpha * state.x0 + sigma * (initial - alpha_t * state.x0) / sigma_t
    ratio = alpha_s / alpha
    expected = ratio * below + math.sqrt(sigma_s**2 - (ratio * sigma) ** 2) * new_noise()((2, 2))
    np.testing.assert_allclose(state.x, expected, rtol=1e-12)


def test_no_noise_of_before_is_left_where_the_schedule_has_some_at_t_0(initial, new_noise):
    z = new_noise()
    for state in trajectory(
        lambda x, t: 0 * x, offset_cosine(), initial, method="lcm", spacing=[1.0, 0.5, 0.25], noise=new_noise()
    ):
        np.testing.assert_allclose(state.x, offset_cosine()(state.t).sigma * z((2, 2)), rtol=1e-12)


def refused(shape):
    raise AssertionError("no noise is needed")


def test_at_gamma_0_both_are_ddim(half, initial):
    for method in (lcm, tcd):
        found = method(half, cosine(), initial, steps=3, eta=0.0, noise=refused)
        assert (found == ddim(half, cosine(), initial, steps=3)).all()


@pytest.mark.parametrize("schedule", [cosine(), karras()], ids=["clean", "noisy"])
def test_the_step_to_t_0_has_no_noise(schedule, half, initial):
    (state,) = trajectory(half, schedule, initial, method="tcd", spacing=[0.5, 0.0], eta=0.3, noise=refused)
    (expected,) = trajectory(half, schedule, initial, method="ddim", spacing=[0.5, 0.0])
    assert (state.x == expected.x).all()


def test_samples_of_an_exact_consistency_function_are_the_data():
    schedule = cosine()
    oracle, source = GaussianOracle(schedule, mean=0.7, variance=0.25), seeded(range(4))
    x = schedule(1.0).sigma * source((4, 5000))
    for steps in (1, 4):
        found = lcm(lambda x, t: oracle.probability_flow(x, t, 0.0), schedule, x, steps=steps, noise=source)
        assert found.mean() == pytest.approx(0.7, abs=0.015)
        assert found.var() == pytest.approx(0.25, rel=0.04)
