"""Every scheduler class of the installed diffusers: equal rates, or an error that names the class."""

import inspect
import warnings
from functools import cache
from typing import Any

import diffkit_schedules as ds
import diffusers.schedulers
import numpy as np
import pytest
import torch
from diffkit_schedules.diffusers_schedulers import SUPPORTED
from diffusers.configuration_utils import ConfigMixin

CLASSES: dict[str, Any] = {
    name: kind
    for name in dir(diffusers.schedulers)
    if inspect.isclass(kind := getattr(diffusers.schedulers, name, None)) and issubclass(kind, ConfigMixin)
}
NEEDED: dict[str, dict[str, Any]] = {
    "AmusedScheduler": {"mask_token_id": 5},
    "RFD4ProteinaScheduler": {"schedule_mode": "log", "noise_mode": "tan", "tsr_k": 1.0, "tsr_sigma": 1.0},
    "VQDiffusionScheduler": {"num_vec_classes": 7},
}
PREDICTIONS = ["epsilon", "sample", "v_prediction", "flow_prediction"]
CHANGES: list[dict[str, Any]] = [
    {"beta_start": 0.001, "beta_end": 0.03},
    *({"beta_schedule": kind} for kind in ("linear", "scaled_linear", "squaredcos_cap_v2", "sigmoid", "laplace", "exp")),
    {"trained_betas": np.array([0.1, 0.5, 0.9])},
    {"rescale_betas_zero_snr": True},
    {"rescale_betas_zero_snr": True, "snr_shift_scale": 1.5, "prediction_type": "v_prediction"},
    {"snr_shift_scale": 1.0},
    *({"prediction_type": prediction} for prediction in PREDICTIONS),
    {"use_flow_sigmas": True, "flow_shift": 3.0},
    *({"use_flow_sigmas": True, "prediction_type": prediction} for prediction in PREDICTIONS),
    {"use_flow_sigmas": True, "rescale_betas_zero_snr": True},
    {"use_flow_sigmas": True, "use_dynamic_shifting": True},
    {"shift": 3.0},
    {"shift": 3.0, "use_dynamic_shifting": True},
    {"use_dynamic_shifting": True, "prediction_type": "v_prediction"},
    {"invert_sigmas": True},
    {"timestep_type": "continuous", "prediction_type": "v_prediction"},
    {"timestep_type": "continuous", "prediction_type": "sample"},
]
OPTIONS = [{}, {"use_flow_sigmas": True}, *({"num_train_timesteps": 50, **change} for change in CHANGES)]
REFUSED = [
    {"prediction_type": "flow_prediction"},
    {"use_flow_sigmas": True, "prediction_type": "v_prediction"},
    {"use_flow_sigmas": True, "use_dynamic_shifting": True},
    {"shift": 3.0, "use_dynamic_shifting": True},
    {"invert_sigmas": True},
    {"timestep_type": "continuous", "prediction_type": "v_prediction"},
    *({"beta_schedule": kind} for kind in ("laplace", "exp")),
]
"""The changes that no schedule here stands for, whatever the class that takes them."""


def is_refused(options):
    return {key: value for key, value in options.items() if key != "num_train_timesteps"} in REFUSED


@pytest.fixture(autouse=True)
def _quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@cache
def scheduler(name):
    """Each of the options that the class has, with the scheduler that diffusers makes of it."""
    kind, pairs = CLASSES[name], []
    for options in OPTIONS:
        if options.keys() <= inspect.signature(kind.__init__).parameters.keys():
            try:
                pairs.append((options, kind(**NEEDED.get(name, {}), **options)))
            except (NotImplementedError, ValueError):
                assert "beta_schedule" in options, "a kind of betas that the class lacks is all that diffusers may refuse"
    return pairs


def rates_of(theirs):
    """Their own numbers: times, and alpha and sigma there."""
    if theirs.config.get("use_flow_sigmas"):
        theirs.set_timesteps(20)
        alpha, sigma = theirs._sigma_to_alpha_sigma_t(theirs.sigmas[:20].double())
        factor = theirs.config.flow_shift
        t = np.asarray(sigma / (factor + (1 - factor) * sigma))
        np.testing.assert_allclose(np.diff(t), np.diff(t).mean(), atol=1e-5)  # even steps, which is what the shift is of
    elif hasattr(theirs, "alphas_cumprod"):
        bar = theirs.alphas_cumprod.double()
        t = np.arange(1, len(bar) + 1) / len(bar)
        alpha, sigma = bar.sqrt(), (1 - bar).sqrt()
    else:
        T = theirs.config.num_train_timesteps
        t = np.arange(T, 0, -1) / T
        alpha, sigma = 1 - theirs.sigmas[:T], theirs.sigmas[:T]
    return t, np.asarray(alpha, float), np.asarray(sigma, float)


def equal(read, theirs):
    (schedule, prediction), (t, alpha, sigma) = read, rates_of(theirs)
    ours = schedule(t)
    np.testing.assert_allclose(ours.alpha**2, alpha**2, rtol=3e-4, atol=2e-7, err_msg=str(dict(theirs.config)))
    np.testing.assert_allclose(ours.sigma, sigma, rtol=3e-4, atol=1e-6, err_msg=str(dict(theirs.config)))
    assert getattr(schedule, "timesteps", len(t)) == len(t)
    name_of_type = theirs.config.get("prediction_type", "epsilon" if hasattr(theirs, "alphas_cumprod") else "flow_prediction")
    assert prediction == ds.prediction_name(name_of_type)


def test_the_classes_are_found():
    assert {"DDIMScheduler", "LMSDiscreteScheduler", "DPMSolverSDEScheduler", "FlowMatchEulerDiscreteScheduler"} <= set(CLASSES)


@pytest.mark.parametrize("name", CLASSES)
def test_equal_rates_or_a_refusal(name):
    for options, theirs in scheduler(name):
        for given in (theirs, {**theirs.config, "_class_name": name}, {"_class_name": name, **options}):
            if name in SUPPORTED and not is_refused(options):
                equal(ds.from_diffusers(given), theirs)
            else:
                with pytest.raises(ValueError, match="|".join(options) if name in SUPPORTED else f"{name} is not supported"):
                    ds.from_diffusers(given)


@pytest.mark.parametrize("name", CLASSES)
def test_a_config_in_memory_without_a_class_is_read_or_refused(name):
    is_complete = name in SUPPORTED and not name.startswith(("CogVideoX", "FlowMatch", "RePaint", "UnCLIP"))
    for options, theirs in scheduler(name):
        by_class = theirs.config.get("rescale_betas_zero_snr") or theirs.config.get("use_flow_sigmas")
        if is_complete and not by_class and not is_refused(options):
            equal(ds.from_diffusers(theirs.config), theirs)
        else:
            with pytest.raises(ValueError, match="|".join(("without '_class_name'", *options))):
                ds.from_diffusers(theirs.config)


@pytest.mark.parametrize("name", sorted(SUPPORTED.keys() & CLASSES.keys()))
def test_listed_defaults_are_those_of_the_signature(name):
    signature = {key: value.default for key, value in inspect.signature(CLASSES[name].__init__).parameters.items()}
    assert SUPPORTED[name].items() <= signature.items()
    assert set().union(*SUPPORTED.values()) & signature.keys() == SUPPORTED[name].keys()


@pytest.mark.parametrize("prediction", ["epsilon", "sample", "flow_prediction"])
@pytest.mark.parametrize("name", ["DPMSolverMultistep", "DPMSolverSinglestep", "UniPCMultistep", "SASolver"])
def test_the_solvers_find_the_same_x0_in_an_output_under_flow_sigmas(name, prediction):
    theirs = CLASSES[f"{name}Scheduler"](use_flow_sigmas=True, flow_shift=3.0, prediction_type=prediction)
    theirs.set_timesteps(20)
    theirs._step_index = 7
    schedule, ours = ds.from_diffusers(theirs)
    (t,) = ds.times_of(schedule, [2 * np.log(1 / float(theirs.sigmas[7]) - 1)])
    out, x = torch.tensor([0.3, -2.0]), torch.tensor([1.0, 0.5])
    torch.testing.assert_close(
        ds.to_x0(out, x, schedule(t), ours), theirs.convert_model_output(out, sample=x), rtol=1e-5, atol=1e-5
    )


def test_a_scheduler_from_the_config_of_another_class_is_read_by_its_own_class():
    theirs = CLASSES["HeunDiscreteScheduler"].from_config(CLASSES["DDIMScheduler"](rescale_betas_zero_snr=True).config)
    equal(ds.from_diffusers(theirs), theirs)
    assert isinstance(ds.from_diffusers(theirs)[0], ds.linear_betas)


def test_an_unknown_class_is_refused_by_its_name():
    class Mine(diffusers.schedulers.DDIMScheduler):
        pass

    with pytest.raises(ValueError, match=r"^Mine is not supported"):
        ds.from_diffusers(Mine())
