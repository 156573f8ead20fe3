"""The loop: its states, its evaluations, and what an update sees."""

import numpy as np
import pytest
from diffkit_samplers import Estimate, Step, ddim, ddpm, sampler, seeded, step, trajectory
from diffkit_samplers.testing import MixtureOracle
from diffkit_schedules import Rates, cosine, offset_cosine, rectified

X = np.array([[1.0, -3.0], [0.5, 2.0]])


def half(x, t):
    return 0.5 * x * t


def test_an_update_sees_the_step_and_every_earlier_evaluation():
    seen = []

    @sampler()
    def method(x, step):
        seen.append(step)
        return 0.9 * x

    states = list(trajectory(half, rectified(), X, method=method))
    assert (len(states), {step.eta for step in seen}, {step.schedule for step in seen}) == (20, {0.0}, {rectified()})
    first, second, *_, last = seen
    assert (first.t, first.s, first.history) == (1.0, 0.95, ())
    assert (first.now, first.then) == (Rates(0.0, 1.0), rectified()(0.95))
    assert (second.t, second.now) == (first.s, first.then)
    assert [(each.t, each.rates) for each in second.history] == [(1.0, Rates(0.0, 1.0))]
    assert (second.history[0].estimate.x0 == 0.5 * X).all()
    assert (second.denoise(X, 1.0) == 0.5 * X).all()
    assert [each.t for each in last.history] == [step.t for step in reversed(seen[:-1])]
    np.testing.assert_allclose(states[1].x, 0.81 * X)


@pytest.mark.parametrize(("history", "lengths"), [(0, [0, 0, 0, 0]), (2, [0, 1, 2, 2]), (None, [0, 1, 2, 3])])
def test_a_sampler_keeps_as_many_evaluations_as_it_declares(history, lengths):
    seen = []

    @sampler(history=history)
    def method(x, step):
        seen.append([each.t for each in step.history])
        return step.advance(x)

    method(half, rectified(), X, steps=4)
    assert [len(times) for times in seen] == lengths
    assert seen[3] == [0.5, 0.75, 1.0][: lengths[3]]


def test_history_holds_a_kept_eps_and_a_variance():
    estimate = Estimate(X, 2 * X, 0.5)
    seen = []

    @sampler()
    def method(x, step):
        seen.extend(step.history)
        return x

    method(lambda x, t: estimate, rectified(), X, steps=2)
    (evaluation,) = seen
    assert (evaluation.estimate.eps == 2 * X).all()
    assert evaluation.estimate.variance_interpolation == 0.5


def step_of(estimate, t=0.8, s=0.4, eta=0.0):
    schedule, noise = rectified(), lambda shape: np.full(shape, 3.0)
    return Step(schedule, half, t, s, schedule(t), schedule(s), estimate, (), eta, noise)


@pytest.mark.parametrize("eta", [0.0, 1.0])
def test_advance_is_the_step_to_the_estimate(eta):
    one = step_of(Estimate(0.1 * X), eta=eta)
    expected = step(X, 0.1 * X, one.now, one.then, eta=eta, noise=np.full(X.shape, 3.0))
    assert (one.advance(X) == expected).all()
    assert (one.advance(X, eta=0.0) == step(X, 0.1 * X, one.now, one.then)).all()
    large = step_of(Estimate(0.1 * X, None, 1.0), eta=eta)
    assert (large.advance(X) != expected).any() == (eta == 1)


def test_advance_to_another_x0_keeps_the_noise_of_the_estimate():
    eps = np.ones_like(X)
    one = step_of(Estimate(0.1 * X, eps))
    np.testing.assert_allclose(one.advance(X), 0.6 * 0.1 * X + 0.4 * eps, rtol=1e-12)
    np.testing.assert_allclose(one.advance(X, 0 * X), 0.4 * (0.2 * 0.1 * X + 0.8 * eps) / 0.8, rtol=1e-12)
    plain = step_of(Estimate(0.1 * X))
    np.testing.assert_allclose(plain.advance(X, 0 * X), 0.4 * X / 0.8, rtol=1e-12)


def test_a_step_can_start_and_end_at_another_time():
    one = step_of(Estimate(0.1 * X))
    sooner = one.starting(X, 0.9)
    assert (sooner.t, sooner.s, sooner.now, sooner.then) == (0.9, 0.4, rectified()(0.9), one.then)
    assert (sooner.estimate.x0 == half(X, 0.9)).all()
    shorter = one.ending(0.6)
    assert (shorter.t, shorter.s, shorter.now, shorter.then) == (0.8, 0.6, one.now, rectified()(0.6))
    assert shorter.estimate is one.estimate
    assert (one.evaluate(X, 0.3).x0 == half(X, 0.3)).all()


def test_under_torch_no_graph_is_kept_and_the_caller_keeps_its_grad_mode():
    torch = pytest.importorskip("torch")
    scale = torch.ones((), requires_grad=True)
    for state in trajectory(lambda x, t: scale * x, rectified(), torch.ones(1, 2), steps=2):
        assert torch.is_grad_enabled()
        assert not state.x.requires_grad
        assert not state.x0.requires_grad


@pytest.mark.parametrize("steps", [1, 2, 20])
def test_a_run_makes_steps_evaluations_and_returns_the_last_x0(steps):
    seen = []

    def denoise(x, t):
        seen.append((t, 0.5 * x))
        return seen[-1][1]

    out = ddim(denoise, offset_cosine(), np.ones((2, 3)), steps=steps)
    assert len(seen) == steps
    assert seen[0][0] == 1.0
    assert (out == seen[-1][1]).all()


def test_a_sample_does_not_depend_on_its_batch():
    oracle = MixtureOracle(cosine())

    def sample(seeds):
        source = seeded(seeds)
        return ddpm(oracle, cosine(), source((len(seeds), 3, 4)), steps=10, noise=source)

    together = sample([5, 6, 7, 8])
    assert (together == np.concatenate([sample([5]), sample([6, 7]), sample([8])])).all()
    assert (together[::-1] == sample([8, 7, 6, 5])).all()
