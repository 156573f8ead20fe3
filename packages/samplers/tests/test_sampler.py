"""A sampler: an update with defaults, a signature and a docstring."""

import copy
import inspect
import pickle
import subprocess
import sys

import diffkit_samplers
import numpy as np
import pytest
from diffkit_samplers import METHODS, Sampler, ddim, sampler
from diffkit_schedules import Array, discrete, rectified


@sampler(eta=0.25, steps=3)
def jump(x, step):
    """Jumps to x0 in each step."""
    return step.estimate.x0 + step.eta


def test_a_decorated_update_is_a_sampler_with_its_name_docstring_and_defaults():
    assert isinstance(jump, Sampler)
    assert (jump.__name__, jump.__doc__, jump.__module__) == ("jump", "Jumps to x0 in each step.", __name__)
    assert (jump.eta, jump.steps, jump.history) == (0.25, 3, None)
    assert jump(lambda x, t: 0.5 * x, rectified(), np.ones(1)).tolist() == [0.5 * (0.5 * (0.5 + 0.25) + 0.25)]
    assert repr(jump) == "<sampler jump(denoise, schedule, x, *, steps=3, eta=0.25, spacing='uniform', noise=None)>"


def test_a_sampler_has_its_defaults_or_twenty_steps_eta_zero_and_all_evaluations():
    method = sampler()(lambda x, step: x)
    assert (method.steps, method.eta, method.history) == (20, 0.0, None)
    method = sampler(eta=0.5, steps=3, history=1)(lambda x, step: x)
    assert (method.steps, method.eta, method.history) == (3, 0.5, 1)
    assert vars(Sampler(ddim.update)).items() >= {"steps": 20, "eta": 0.0, "history": None}.items()


@pytest.mark.parametrize("name", METHODS)
def test_the_signature_has_the_defaults_of_the_sampler(name):
    method = getattr(diffkit_samplers, name)
    signature = inspect.signature(method)
    assert list(signature.parameters) == ["denoise", "schedule", "x", "steps", "eta", "spacing", "noise"]
    defaults = {each.name: each.default for each in signature.parameters.values() if each.kind == each.KEYWORD_ONLY}
    assert defaults == {
        "steps": {"ddpm": None, "lcm": 4, "tcd": 4}.get(name, 20),
        "eta": {"ddpm": 1.0, "heun_churn": 1.0, "lcm": 1.0, "tcd": 0.3}.get(name, float(name.endswith(("_sde", "_ancestral")))),
        "spacing": "uniform",
        "noise": None,
    }
    assert method is METHODS[name]


def test_a_sampler_has_the_names_of_its_update_and_the_signature_of_its_call():
    def method(x, step):
        """Keeps x."""
        return x

    method.tag = "not copied"  # type: ignore[attr-defined]
    found = sampler(eta=0.5, steps=3)(method)
    names = ("__module__", "__name__", "__qualname__", "__doc__")
    assert [getattr(found, name) for name in names] == [getattr(method, name) for name in names]
    assert not hasattr(found, "tag")
    signature = inspect.signature(found)
    defaults = [(each.name, each.default) for each in signature.parameters.values() if each.kind == each.KEYWORD_ONLY]
    assert defaults == [("steps", 3), ("eta", 0.5), ("spacing", "uniform"), ("noise", None)]
    assert [each.default for each in signature.parameters.values()][:3] == [inspect.Parameter.empty] * 3
    assert signature.return_annotation is Array


def test_steps_none_is_every_step_of_the_schedule():
    seen = []

    @sampler(steps=None)
    def method(x, step):
        seen.append(step.t)
        return x

    method(lambda x, t: x, discrete([0.5, 0.5, 0.9]), np.ones(1))
    assert seen == [1.0, 2 / 3, 1 / 3]
    method(lambda x, t: x, discrete([0.5, 0.5, 0.9]), np.ones(1), steps=1)
    assert seen[3:] == [1.0]


def test_a_sampler_is_pickled_by_its_name():
    assert pickle.loads(pickle.dumps(ddim)) is ddim
    assert copy.deepcopy(ddim) is ddim


def test_names_are_known_without_numpy():
    names = "list(METHODS)[:2], SPACINGS[0], 'numpy' in sys.modules"
    code = f"import sys; from diffkit_samplers import METHODS, SPACINGS; print({names})"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out == "['ddim', 'ddpm'] uniform False\n"
