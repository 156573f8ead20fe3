"""A sampler by name, and what is refused."""

import sys

import diffkit_samplers
import numpy as np
import pytest
from diffkit_samplers import METHODS, ddim, seeded, trajectory
from diffkit_samplers.testing import GaussianOracle, check_sampler
from diffkit_schedules import Registry, cosine, rectified


@pytest.mark.parametrize("eta", [-0.1, 1.1])
def test_eta_is_checked_at_the_call(eta):
    with pytest.raises(ValueError, match=rf"^eta must be in \[0, 1\] \(0 = DDIM, 1 = DDPM\), got {eta}$"):
        trajectory(None, rectified(), np.ones((1, 1)), eta=eta)


@pytest.mark.parametrize("name", METHODS)
def test_a_sampler_and_its_name_give_the_same_states(name):
    oracle, schedule, x = GaussianOracle(cosine()), cosine(), np.ones((2, 3))
    by_name, by_object = (
        [state.x for state in trajectory(oracle, schedule, x, method=each, steps=7, noise=seeded([1, 2]))]
        for each in (name, getattr(diffkit_samplers, name))
    )
    assert all((one == other).all() for one, other in zip(by_name, by_object, strict=True))


def test_trajectory_yields_after_each_step():
    oracle, x = GaussianOracle(cosine()), np.ones((1, 2))
    states = list(trajectory(oracle, cosine(), x, steps=4))
    assert [state.t for state in states] == [0.75, 0.5, 0.25, 0.0]
    assert (states[0].x0 == oracle(x, 1.0)).all()
    assert (states[1].x0 == oracle(states[0].x, 0.75)).all()
    assert (states[-1].x0 == ddim(oracle, cosine(), x, steps=4)).all()
    np.testing.assert_allclose(states[-1].x, states[-1].x0, atol=1e-15)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"eta": -0.1}, r"eta must be in \[0, 1\] .*, got -0.1"),
        ({"steps": 0}, "steps must be"),
        ({"spacing": "x"}, "spacing must be one of"),
        ({"method": "ddmi"}, "sampler must be one of ddim, ddpm, .*; got 'ddmi', did you mean 'ddpm'"),
    ],
)
def test_bad_options_are_refused_at_the_call(options, message):
    with pytest.raises(ValueError, match=message):
        trajectory(GaussianOracle(cosine()), cosine(), np.ones((1, 1)), **options)


def test_a_method_that_is_not_a_sampler_is_refused():
    with pytest.raises(TypeError, match=r"^method must be a name of METHODS or a Sampler, got <function .*: decorate an update"):
        trajectory(GaussianOracle(cosine()), cosine(), np.ones((1, 1)), method=lambda x, step: x)


MIDPOINT = """
from diffkit_samplers import sampler
from diffkit_schedules import times_of

@sampler(steps=5)
def midpoint(x, step):
    if step.s == 0 or step.now.alpha == 0:
        return step.advance(x)
    (middle,) = times_of(step.schedule, [(step.now.log_snr + step.then.log_snr) / 2])
    x_middle = step.ending(middle).advance(x, eta=0.0)
    return step.advance(x, step.evaluate(x_middle, middle).x0)

@sampler(eta=0.25, steps=3, history=1)
def broken(x, step):
    return x + undefined

def function(x, step):
    return x
"""


@pytest.fixture
def methods(install_distribution, monkeypatch):
    """METHODS as a new process sees it, after the installation of a distribution that registers samplers."""
    names = ("midpoint", "broken", "function")
    install_distribution("theirs", "diffkit.samplers", {name: f"theirs:{name}" for name in names}, MIDPOINT)
    registry = Registry(METHODS.group, METHODS._builtin)
    monkeypatch.setattr(sys.modules[trajectory.__module__], "METHODS", registry)
    return registry


def test_a_sampler_of_another_distribution_is_used_by_its_name(methods):
    oracle = GaussianOracle(cosine(), 0.3, 0.5)
    states = list(trajectory(oracle, cosine(), np.ones((2, 3)), method="midpoint"))
    assert len(states) == 5
    assert (states[-1].x0 == methods["midpoint"](oracle, cosine(), np.ones((2, 3)))).all()
    assert methods.origin("midpoint") == ("theirs", "1.2")


def test_a_sampler_of_another_distribution_conforms(methods):
    assert check_sampler(methods["midpoint"], 2).order == pytest.approx(2, abs=0.2)


def test_a_sampler_of_another_distribution_keeps_its_defaults(methods):
    sampler_of = sys.modules[trajectory.__module__].sampler_of
    found = sampler_of("broken")
    assert (found.eta, found.steps, found.history) == (0.25, 3, 1)
    assert sampler_of("ddim") is ddim


def test_an_error_in_a_sampler_of_another_distribution_names_it(methods):
    states = trajectory(GaussianOracle(cosine()), cosine(), np.ones((1, 1)), method="broken")
    with pytest.raises(NameError) as caught:
        next(states)
    assert caught.value.__notes__ == ["raised by sampler 'broken' of theirs 1.2"]


def test_a_registered_object_that_is_not_a_sampler_names_its_distribution(methods):
    with pytest.raises(TypeError, match=r"^sampler 'function' of theirs 1\.2 must be a Sampler, got <function function at"):
        trajectory(GaussianOracle(cosine()), cosine(), np.ones((1, 1)), method="function")
