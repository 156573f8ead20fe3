"""DDIM, DDPM and their relatives over two or three steps worked out by hand, and what each does unless told otherwise."""

import inspect
import math
from itertools import pairwise

import numpy as np
import pytest
from diffkit_samplers import ddim, ddpm, dpmpp_2m, dpmpp_2m_sde, euler_ancestral, heun, seeded, trajectory
from diffkit_schedules import Rates, cosine, linear_betas, rectified

STEPS = {0: (0.5, 0.5), 1: (0.25, 0.75)}
X = np.array([[1.0, -3.0], [0.5, 2.0]])


def half(x, t):
    return 0.5 * x * t


def log_snr(t):
    return 2 * math.log((1 - t) / t)


def moved(x, x0, t, s, z=0.0, eta=0.0):
    """The step on the straight line, in the paper's words: x0 and eps mixed anew."""
    eps = (x - (1 - t) * x0) / t
    tau = 1 - ((1 - t) * s / ((1 - s) * t)) ** 2
    return (1 - s) * x0 + s * math.sqrt(1 - eta**2 * tau) * eps + eta * s * math.sqrt(tau) * z


TIMES = [0.9, 0.6, 0.3, 0.2]


def draws():
    numbers = np.random.default_rng(3)
    return lambda shape: numbers.standard_normal(shape)


@pytest.mark.parametrize("eta", [0.0, 0.6, 1.0])
@pytest.mark.parametrize("method", ["ddim", "ddpm", "euler_ancestral"])
def test_ddim_mixes_x0_and_eps_anew(method, eta):
    x, source = X, draws()
    for state, (t, s) in zip(
        trajectory(half, rectified(), X, method=method, eta=eta, spacing=TIMES, noise=draws()),
        pairwise(TIMES),
        strict=True,
    ):
        x0, z = half(x, t), source(x.shape) if eta else 0.0
        x = moved(x, x0, t, s, z, eta)
        assert state.t == s
        np.testing.assert_allclose(state.x, x, rtol=1e-12)
        np.testing.assert_allclose(state.x0, x0, rtol=1e-12)


@pytest.mark.parametrize("eta", [0.0, 0.6, 1.0])
@pytest.mark.parametrize("method", ["dpmpp_2m", "dpmpp_2m_sde"])
def test_dpmpp_extrapolates_x0_in_log_snr(method, eta):
    x, last, source = X, None, draws()
    for k, state in enumerate(trajectory(half, rectified(), X, method=method, eta=eta, spacing=TIMES, noise=draws())):
        t, s = TIMES[k], TIMES[k + 1]
        x0 = half(x, t)
        ahead = x0
        if last is not None:
            ratio = (log_snr(s) - log_snr(t)) / (2 * (log_snr(t) - log_snr(TIMES[k - 1])))
            ahead = x0 + ratio * (x0 - last)
        x, last = moved(x, ahead, t, s, source(x.shape) if eta else 0.0, eta), x0
        np.testing.assert_allclose(state.x, x, rtol=1e-12)
        np.testing.assert_allclose(state.x0, x0, rtol=1e-12)


@pytest.mark.parametrize("eta", [0.0, 0.6])
def test_heun_takes_the_mean_of_eps_at_both_ends(eta):
    x, source = X, draws()
    for k, state in enumerate(trajectory(half, rectified(), X, method="heun", eta=eta, spacing=TIMES, noise=draws())):
        t, s = TIMES[k], TIMES[k + 1]
        x0 = half(x, t)
        ahead = half(moved(x, x0, t, s), s)
        weight = min((1 - s) * t / (2 * (1 - t) * s), 1)
        x = moved(x, (1 - weight) * x0 + weight * ahead, t, s, source(x.shape) if eta else 0.0, eta)
        np.testing.assert_allclose(state.x, x, rtol=1e-12)
        np.testing.assert_allclose(state.x0, x0, rtol=1e-12)


def test_heun_from_pure_noise_looks_at_the_end_alone_and_to_clean_data_not_at_all():
    seen = []

    def looked(x, t):
        seen.append(t)
        return half(x, t)

    first, last = trajectory(looked, rectified(), X, method="heun", steps=2)
    ahead = half(0.5 * half(X, 1.0) + 0.5 * X, 0.5)
    np.testing.assert_allclose(first.x, 0.5 * ahead + 0.5 * X, rtol=1e-12)
    np.testing.assert_allclose(last.x, half(first.x, 0.5), rtol=1e-12)
    assert seen == [1.0, 0.5, 0.5]


METHODS = {"ddim": (ddim, 0.0), "ddpm": (ddpm, 1.0), "euler_ancestral": (euler_ancestral, 1.0)} | {
    "heun": (heun, 0.0),
    "dpmpp_2m": (dpmpp_2m, 0.0),
    "dpmpp_2m_sde": (dpmpp_2m_sde, 1.0),
}


@pytest.mark.parametrize("name", METHODS)
def test_a_method_is_its_trajectory_s_last_x0_with_its_own_eta_and_twenty_steps(name):
    method, eta = METHODS[name]
    parameters = inspect.signature(method).parameters.values()
    usual = {each.name: each.default for each in parameters if each.kind == each.KEYWORD_ONLY}
    assert usual == {"steps": None if name == "ddpm" else 20, "eta": eta, "spacing": "uniform", "noise": None}
    schedule = linear_betas(30, end=0.5) if name == "ddpm" else cosine()
    seen = []

    def denoise(x, t):
        seen.append(t)
        return 0.3 * x * t

    found = method(denoise, schedule, X, noise=seeded([1, 2]))
    count = len(seen)
    *_, plain = trajectory(denoise, schedule, X, method=name, noise=seeded([1, 2]))
    *_, told = trajectory(
        denoise, schedule, X, method=name, eta=eta, steps=30 if name == "ddpm" else 20, spacing="uniform", noise=seeded([1, 2])
    )
    assert (found == plain.x0).all()
    assert (found == told.x0).all()
    assert count == {"ddpm": 30, "heun": 39}.get(name, 20)
    assert not eta or (found != method(denoise, schedule, X, noise=seeded([3, 4]))).all()


@pytest.mark.parametrize("name", METHODS)
def test_a_method_takes_every_option(name):
    method, _ = METHODS[name]
    options = {"steps": 3, "eta": 0.5, "spacing": "log_snr"}
    found = method(half, cosine(), X, noise=seeded([1, 2]), **options)
    *_, last = trajectory(half, cosine(), X, method=name, noise=seeded([1, 2]), **options)
    assert (found == last.x0).all()
    others = [options | {"steps": 4}, options | {"eta": 0.4}, options | {"spacing": "uniform"}]
    assert all((found != method(half, cosine(), X, noise=seeded([1, 2]), **other)).any() for other in others)


def test_an_update_of_one_s_own_is_given_twenty_steps_and_no_eta():
    moves = []

    def update(x, move):
        moves.append(move)
        return 0.9 * x

    states = list(trajectory(half, rectified(), X, method=update))
    assert (len(states), {move.eta for move in moves}) == (20, {0.0})
    first, second = moves[:2]
    assert (first.t, first.s, first.before) == (1.0, 0.95, None)
    assert (first.now, first.then) == (Rates(0.0, 1.0), rectified()(0.95))
    assert (second.t, second.now) == (first.s, first.then)
    assert (second.before.t, second.before.before) == (1.0, None)
    assert (second.before.estimate.x0 == 0.5 * X).all()
    assert (second.denoise(X, 1.0) == 0.5 * X).all()
    np.testing.assert_allclose(states[1].x, 0.81 * X)
