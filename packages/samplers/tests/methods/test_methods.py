"""What every method promises: conformance, defaults, evaluations, arrays and errors."""

import math

import numpy as np
import pytest
from diffkit_samplers import (
    METHODS,
    Estimate,
    ddim,
    deis,
    denoiser,
    dpmpp_2m,
    dpmpp_2s_ancestral,
    dpmpp_3m,
    euler_ancestral,
    heun,
    seeded,
    step,
    trajectory,
    unipc_2,
    unipc_3,
)
from diffkit_samplers.testing import GaussianOracle
from diffkit_schedules import (
    Rates,
    cosine,
    cosine_betas,
    discrete,
    karras,
    linear_betas,
    offset_cosine,
    rectified,
    scaled_linear_betas,
    zero_terminal_snr,
)

STOCHASTIC = ("ddpm", "euler_ancestral", "heun_churn", "dpmpp_2m_sde", "dpmpp_3m_sde", "dpmpp_2s_ancestral", "lcm")


@pytest.mark.parametrize("name", METHODS)
def test_a_method_returns_the_last_x0_of_its_trajectory_by_its_defaults(name, initial):
    method = METHODS[name]
    steps, eta = {"ddpm": 30, "lcm": 4, "tcd": 4}.get(name, 20), {"tcd": 0.3}.get(name, 1.0 if name in STOCHASTIC else 0.0)
    schedule = linear_betas(30, end=0.5) if name == "ddpm" else cosine()
    evaluated = []

    def denoise(x, t):
        evaluated.append(t)
        return 0.3 * x * t

    found = method(denoise, schedule, initial, noise=seeded([1, 2]))
    assert len(evaluated) == {"heun": 39, "heun_churn": 39, "dpmpp_2s_ancestral": 38}.get(name, steps)
    options = {"eta": eta, "steps": steps, "spacing": "uniform"}
    for each in ({}, options):
        *_, last = trajectory(denoise, schedule, initial, method=name, noise=seeded([1, 2]), **each)
        assert (found == last.x0).all()
    assert not eta or (found != method(denoise, schedule, initial, noise=seeded([3, 4]))).all()


@pytest.mark.parametrize("name", METHODS)
def test_a_method_uses_every_option(name, half, initial):
    method = METHODS[name]
    options = {"steps": 3, "eta": 0.5, "spacing": "log_snr"}
    found = method(half, cosine(), initial, noise=seeded([1, 2]), **options)
    *_, last = trajectory(half, cosine(), initial, method=name, noise=seeded([1, 2]), **options)
    assert (found == last.x0).all()
    others = [options | {"steps": 4}, options | {"eta": 0.4}, options | {"spacing": "uniform"}]
    assert all((found != method(half, cosine(), initial, noise=seeded([1, 2]), **other)).any() for other in others)


@pytest.mark.parametrize(
    ("method", "evaluations"), [(ddim, 6), (heun, 11), (dpmpp_2m, 6), (euler_ancestral, 6), (dpmpp_3m, 6), (unipc_3, 6)]
)
def test_number_of_evaluations(method, evaluations):
    seen = []
    oracle = GaussianOracle(cosine())
    method(lambda x, t: seen.append(t) or oracle(x, t), cosine(), np.ones((1, 2)), steps=6)
    assert len(seen) == evaluations


@pytest.mark.parametrize("name", METHODS)
def test_a_schedule_without_noise_before_t_0_ends_there(name, initial):
    schedule, oracle = discrete([0.0, 0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 0.999]), GaussianOracle(cosine())
    spacing = [1.0, 0.75, 0.5, 0.25]
    seen, options = [], {"method": name, "spacing": spacing, "noise": seeded([1, 2])}
    states = list(trajectory(lambda x, t: seen.append(t) or oracle(x, t), schedule, initial, **options))
    assert len(seen) == {"heun": 5, "heun_churn": 5, "dpmpp_2s_ancestral": 5}.get(name, 3)
    np.testing.assert_allclose(states[-1].x0, oracle(states[-2].x, 0.5))
    assert np.isfinite(states[-1].x).all()


@pytest.mark.parametrize("name", METHODS)
def test_a_step_between_equal_levels_leaves_a_state_without_new_noise_as_it_is(name, initial):
    schedule, oracle = discrete([0.1, 0.3, 0.0, 0.5, 0.7, 0.9, 0.999]), GaussianOracle(cosine())
    spacing = [1.0, 6 / 7, 5 / 7, 3 / 7, 2 / 7, 1 / 7]
    states = list(trajectory(oracle, schedule, initial, method=name, spacing=spacing, eta=0.0))
    assert schedule(3 / 7) == schedule(2 / 7)
    np.testing.assert_allclose(states[3].x, states[2].x, rtol=1e-9)
    assert np.isfinite(states[4].x).all()


@pytest.mark.parametrize("name", METHODS)
def test_an_eta_of_numpy_does_not_widen_the_state(name, initial):
    x, source = initial.astype(np.float32), seeded([1, 2])
    found = METHODS[name](GaussianOracle(cosine()), cosine(), x, steps=4, eta=np.float64(0.5), noise=source)
    assert found.dtype == np.float32
    now, then = cosine()(0.9), cosine()(0.5)
    assert step(x, x, now, then, eta=np.float64(0.5), noise=x).dtype == np.float32


@pytest.mark.parametrize("name", ["heun", "heun_churn", "dpmpp_2s_ancestral"])
def test_a_step_to_t_0_has_one_evaluation_with_noise_left_too(name):
    seen, oracle = [], GaussianOracle(karras())
    METHODS[name](lambda x, t: seen.append(t) or oracle(x, t), karras(), np.ones((1, 2)), spacing=[0.6, 0.3, 0.0])
    assert (len(seen), seen[-1]) == (3, 0.3)


def angle(t):
    """A function of a float as schedule: pure noise up to rounding at t = 1."""
    return math.cos(t * math.pi / 2), math.sin(t * math.pi / 2)


ENDS = [cosine(), rectified(), cosine_betas(), angle]


@pytest.mark.parametrize("schedule", ENDS, ids=["cosine", "rectified", "cosine_betas", "angle"])
@pytest.mark.parametrize("method", [heun, dpmpp_2m, dpmpp_3m, deis, unipc_2, unipc_3])
def test_on_a_grid_from_pure_noise_to_clean_data_second_order_beats_ddim(method, schedule):
    oracle = GaussianOracle(schedule, mean=0.3, variance=0.5)
    x = np.linspace(-2, 2, 9)[:, None]
    errors = [abs(each(oracle, schedule, x, steps=80) - oracle.probability_flow(x, 1.0, 0.0)).max() for each in (method, ddim)]
    assert errors[0] < errors[1] / 3


def test_eps_at_pure_noise_is_refused_in_the_first_step():
    with pytest.raises(ValueError, match="'eps' is undefined at alpha = 0"):
        ddim(denoiser(lambda x, c: x, cosine(), "eps"), cosine(), np.ones((1, 2)))


@pytest.mark.parametrize("method", [heun, dpmpp_2m, dpmpp_3m, deis, unipc_3, ddim])
def test_every_method_uses_a_kept_eps(method):
    schedule, x = cosine(), np.full((1, 2), 0.5)

    def denoise(x, t):
        return Estimate(np.ones_like(x), np.zeros_like(x))

    (state,) = trajectory(denoise, schedule, x, method=method.__name__, spacing=[0.8, 0.4])
    np.testing.assert_allclose(state.x, schedule(0.4).alpha, rtol=1e-12)


@pytest.mark.parametrize("method", ["ddim", "heun", "dpmpp_2m", "dpmpp_3m", "deis", "unipc_3"])
def test_the_noise_of_every_method_has_the_variance_of_the_estimate(method, new_noise, initial):
    def denoise(x, t):
        return Estimate(0 * x, variance_interpolation=1.0)

    options = {"method": method, "eta": 1.0, "spacing": [0.6, 0.3]}
    (state,) = trajectory(denoise, rectified(), 0 * initial, noise=new_noise(), **options)
    tau = 1 - (0.4 * 0.3 / (0.7 * 0.6)) ** 2
    np.testing.assert_allclose(state.x, 0.6 * math.sqrt(tau) * new_noise()(initial.shape), rtol=1e-12)


@pytest.mark.parametrize("schedule", [angle, lambda t: Rates(1, 80 * t), lambda t: (1 - t, t)], ids=["angle", "int", "tuple"])
@pytest.mark.parametrize("spacing", ["uniform", "karras", "log_snr"])
def test_any_function_can_be_the_schedule(schedule, spacing):
    for method in (ddim, heun, dpmpp_2m, dpmpp_3m, deis, dpmpp_2s_ancestral, unipc_3):
        assert np.isfinite(method(lambda x, t: 0.1 * x, schedule, np.ones((1, 2)), steps=5, spacing=spacing)).all()


def test_a_state_may_have_one_axis():
    noise = seeded([1, 2, 3])
    assert ddim(GaussianOracle(cosine()), cosine(), noise((3,)), steps=3, eta=1.0, noise=noise).shape == (3,)


@pytest.mark.parametrize("method", [ddim, heun, dpmpp_2m, dpmpp_3m, unipc_3])
@pytest.mark.parametrize("prediction", ["x0", "v", "eps", "flow"])
def test_a_network_of_another_precision_does_not_change_the_dtype_of_the_state(method, prediction):
    for other in (np.float64, np.float16):
        denoise = denoiser(lambda x, c, other=other: (0.1 * x).astype(other), offset_cosine(), prediction)
        x = np.ones((2, 3), np.float32)
        states = list(trajectory(denoise, offset_cosine(), x, method=method.__name__, steps=3))
        assert {state.x.dtype for state in states} == {state.x0.dtype for state in states} == {np.dtype(np.float32)}


@pytest.mark.parametrize(
    ("denoise", "noise", "message"),
    [
        (lambda x, t: x[:1], None, r"denoise must return an x0 of x's shape \(2, 3\), got \(1, 3\)"),
        (lambda x, t: None, None, "got NoneType"),
        (lambda x, t: x, lambda shape: np.ones(3), r"noise must return an array of shape \(2, 3\), got \(3,\)"),
        (
            denoiser(lambda x, c: x, cosine(), "v", learned_range=True),
            None,
            r"x_t's shape, with twice its channels, \(2, 6\); got \(2, 3\)",
        ),
    ],
)
def test_wrong_shapes_of_denoise_and_noise_are_refused(denoise, noise, message):
    with pytest.raises(ValueError, match=message):
        ddim(denoise, cosine(), np.ones((2, 3)), eta=1.0, noise=noise)


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("betas", [linear_betas(200, end=0.1), scaled_linear_betas(200, end=0.06)], ids=["linear", "scaled"])
def test_every_method_samples_the_data_from_zero_terminal_snr(name, betas):
    """The first step is from pure noise, alpha = 0, where x says nothing of the data and eps is not defined."""
    schedule, method = zero_terminal_snr(betas), METHODS[name]
    oracle, source = GaussianOracle(schedule, mean=0.5, variance=0.25), seeded(range(4))
    assert schedule(1.0).alpha == 0
    x = schedule(1.0).sigma * source((4, 500))
    flow = denoiser(lambda x, c: velocity(oracle, x, c), schedule, "v", "time")
    if name in ("lcm", "tcd"):  # consistency functions
        found = method(lambda x, t: oracle.probability_flow(x, t, 0.0), schedule, x, steps=4, eta=1.0, noise=source)
    else:
        found = method(flow, schedule, x, steps=100, eta=0.0)
        error = np.sqrt(((found - oracle.probability_flow(x, 1.0, 0.0)) ** 2).mean())
        assert error < 0.02 if name in FIRST_ORDER else error < 0.01
        found = method(flow, schedule, x, steps=100, eta=1.0, noise=source)
    assert found.mean() == pytest.approx(0.5, abs=0.04)
    assert found.var() == pytest.approx(0.25, rel=0.15)


FIRST_ORDER = ("ddim", "ddpm", "euler_ancestral")


def velocity(oracle, x, t):
    """v of the exact denoiser, whose alpha eps - sigma x0 has no singularity at alpha = 0."""
    alpha, sigma = oracle.schedule(float(t[0]))
    x0 = oracle(x, float(t[0]))
    return (alpha * x - x0) / sigma
