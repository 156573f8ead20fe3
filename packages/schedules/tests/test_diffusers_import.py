"""Configs of published schedulers, read and written."""

import warnings
from typing import Any

import diffkit_schedules as ds
import pytest

STABLE_DIFFUSION = {
    "_class_name": "PNDMScheduler",
    "_diffusers_version": "0.6.0",
    **{"beta_end": 0.012, "beta_schedule": "scaled_linear", "beta_start": 0.00085, "num_train_timesteps": 1000},
    **{"set_alpha_to_one": False, "skip_prk_steps": True, "steps_offset": 1, "trained_betas": None, "clip_sample": False},
}


CONFIG = {"num_train_timesteps": 50, "beta_start": 0.01, "beta_end": 0.2, "beta_schedule": "linear", "prediction_type": "sample"}


def without_warnings(config):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ds.from_diffusers(config)


def of(name, **options):
    return {"_class_name": f"{name}Scheduler", **options}


STRAIGHT = ds.rectified()
COGVIDEO = ds.scaled_linear_betas(1000, 0.00085, 0.012)


@pytest.mark.parametrize(
    ("config", "schedule", "prediction"),
    [
        (of("DDIM"), ds.linear_betas(1000, 1e-4, 0.02), "eps"),
        (of("DDIM", num_train_timesteps=None, beta_start=None, prediction_type=None), ds.linear_betas(1000, 1e-4, 0.02), "eps"),
        (of("DDPM", prediction_type="sample"), ds.linear_betas(), "x0"),
        (of("DDPM", beta_schedule="squaredcos_cap_v2", prediction_type="v_prediction"), ds.cosine_betas(), "v"),
        (of("DDPM", beta_schedule="sigmoid", num_train_timesteps=500, beta_end=0.05), ds.sigmoid_betas(500, 1e-4, 0.05), "eps"),
        (of("DDPM", beta_schedule="linear", num_train_timesteps=400.0, beta_start=0), ds.linear_betas(400, 0.0, 0.02), "eps"),
        (of("DDIM", trained_betas=[0.3, 0.9, 0.9], beta_schedule="unread"), ds.discrete([0.3, 0.9, 0.9]), "eps"),
        (
            of("EulerDiscrete", rescale_betas_zero_snr=True, prediction_type="v_prediction"),
            ds.zero_terminal_snr(ds.linear_betas()),
            "v",
        ),
        (of("HeunDiscrete"), ds.linear_betas(1000, 0.00085, 0.012), "eps"),
        (of("HeunDiscrete", rescale_betas_zero_snr=True), ds.linear_betas(1000, 0.00085, 0.012), "eps"),
        (of("LCM"), ds.scaled_linear_betas(1000, 0.00085, 0.012), "eps"),
        (of("UnCLIP", prediction_type="sample"), ds.cosine_betas(), "x0"),
        (of("RePaint", prediction_type="sample"), ds.linear_betas(), "eps"),
        (of("CogVideoXDDIM", snr_shift_scale=4.0), ds.shift(COGVIDEO, 2.0), "eps"),
        (of("CogVideoXDPM", snr_shift_scale=1), COGVIDEO, "eps"),
        (
            of("CogVideoXDDIM", snr_shift_scale=4.0, rescale_betas_zero_snr=True),
            ds.zero_terminal_snr(ds.shift(COGVIDEO, 2.0)),
            "eps",
        ),
        (of("FlowMatchEulerDiscrete"), STRAIGHT, "flow"),
        (of("FlowMatchEulerDiscrete", shift=3.0), ds.shift(STRAIGHT, 3.0), "flow"),
        (of("FlowMatchHeunDiscrete", shift=2), ds.shift(STRAIGHT, 2.0), "flow"),
        (
            of("UniPCMultistep", prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0),
            ds.shift(STRAIGHT, 3.0),
            "flow",
        ),
        (of("DPMSolverMultistep", use_flow_sigmas=True), STRAIGHT, "eps"),
        (of("DPMSolverMultistep", flow_shift=3.0), ds.linear_betas(), "eps"),
        (of("DPMSolverMultistep", use_dynamic_shifting=True), ds.linear_betas(), "eps"),
        (of("EulerDiscrete", timestep_type="continuous"), ds.linear_betas(), "eps"),
        (STABLE_DIFFUSION, ds.scaled_linear_betas(), "eps"),
        (CONFIG, ds.linear_betas(50, 0.01, 0.2), "x0"),
    ],
)
def test_a_config_gives_its_schedule_and_prediction(config, schedule, prediction):
    assert without_warnings(config) == (schedule, prediction)


class DDIMScheduler:
    """What from_diffusers sees of a scheduler made in memory: its class's name and a config that does not say it."""

    def __init__(self, **config):
        self.config = config


def test_a_scheduler_object_is_accepted():
    assert without_warnings(DDIMScheduler(prediction_type="v_prediction", clip_sample=True)) == (ds.linear_betas(), "v")
    assert without_warnings(DDIMScheduler(_class_name="LCMScheduler")) == (ds.linear_betas(), "eps")


def test_a_warning_names_the_settings_of_the_sampler():
    with pytest.warns(UserWarning, match="^from_diffusers reads .* this to the sampler: set_alpha_to_one=False, steps_offset=1$"):
        ds.from_diffusers(STABLE_DIFFUSION)
    with pytest.warns(UserWarning, match="num_train_timesteps=500$"):
        ds.from_diffusers(of("FlowMatchEulerDiscrete", num_train_timesteps=500))
    with pytest.warns(UserWarning, match="sampler: clip_sample=True, timestep_spacing='leading', some_new_key=3$"):
        ds.from_diffusers(of("DDIM", clip_sample=True, timestep_spacing="leading", some_new_key=3))


def test_the_warning_names_the_caller_s_line():
    with pytest.warns(UserWarning, match="some_new_key=3$") as caught:
        ds.from_diffusers(of("DDIM", some_new_key=3))
    assert caught[0].filename == __file__


def test_settings_without_effect_give_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ds.from_diffusers(of("FlowMatchEulerDiscrete", num_train_timesteps=1000, shift=3.0, base_shift=0.5, shift_terminal=None))
        ds.from_diffusers(of("DDIM", _diffusers_version="0.42.1", clip_sample=False, thresholding=False, num_train_timesteps=500))
        ds.from_diffusers(of("DPMSolverMultistep", use_flow_sigmas=True, flow_shift=5.0, lambda_min_clipped=-float("inf")))


WITHOUT = "without '_class_name' does not determine its class: pass the scheduler itself, or add its class, as in dict"


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ([], "^a scheduler config is a mapping, got list: pass it, or the scheduler itself$"),
        (DDIMScheduler, "^a scheduler config is a mapping, got type"),
        ({}, WITHOUT),
        ({"shift": 3.0, "num_train_timesteps": 1000}, WITHOUT),
        *(({key: value for key, value in CONFIG.items() if key != left_out}, WITHOUT) for left_out in CONFIG),
        (CONFIG | {"rescale_betas_zero_snr": True}, WITHOUT),
        (CONFIG | {"use_flow_sigmas": True}, WITHOUT),
        (CONFIG | {"snr_shift_scale": 3.0}, WITHOUT),
        (CONFIG | {"shift": 3.0}, WITHOUT),
        (CONFIG | {"invert_sigmas": True}, WITHOUT),
        (CONFIG | {"timestep_type": "continuous", "prediction_type": "v_prediction"}, "timestep_type 'continuous' of Euler"),
        (of("DDIM", beta_schedule="laplace"), "beta_schedule must be one of 'linear', .*, 'squaredcos_cap_v2'; got 'laplace'$"),
        (of("DDIM", beta_schedule=["linear"]), r"got \['linear'\]$"),
        (of("UnCLIP", beta_schedule="linear"), "beta_schedule must be one of 'squaredcos_cap_v2'; got 'linear'$"),
        (of("EDMEuler"), r"^EDMEulerScheduler is not supported: build its schedule directly, such as karras\(sigma_min"),
        ({"_class_name": ["DDIMScheduler"]}, r"^\['DDIMScheduler'\] is not supported"),
        (of("DDIM", prediction_type="noise"), "prediction must be one of .*; got 'noise'"),
        (of("DDIM", prediction_type="flow_prediction"), "'flow_prediction' of DDIMScheduler needs use_flow_sigmas=True"),
        (
            of("UniPCMultistep", use_flow_sigmas=True, prediction_type="v_prediction"),
            "^prediction_type of UniPCMultistepScheduler with use_flow_sigmas must be epsilon, .*, got 'v'$",
        ),
        (
            of("EulerDiscrete", timestep_type="continuous", prediction_type="v_prediction"),
            r"on log\(sigma\) / 4",
        ),
        (
            of("FlowMatchEulerDiscrete", use_dynamic_shifting=True),
            r"^use_dynamic_shifting .*, shift\(rectified\(\), exp\(mu\)\)$",
        ),
        (of("UniPCMultistep", use_dynamic_shifting=True, use_flow_sigmas=True), "^use_dynamic_shifting"),
        (of("FlowMatchEulerDiscrete", invert_sigmas=True), "^invert_sigmas reverses time and the sign of the output"),
        (of("DDIM", num_train_timesteps="1000"), "^num_train_timesteps must be an integer, got '1000'$"),
        (of("DDIM", num_train_timesteps=10.5), "^num_train_timesteps must be an integer, got 10.5$"),
        (of("DDIM", num_train_timesteps=True), "got True$"),
        (of("DDIM", num_train_timesteps=10**12), "^T must be at most 1000000, got 1000000000000$"),
        (of("DDIM", beta_start=[1]), r"^beta_start must be a finite number, got \[1\]$"),
        (of("DDIM", beta_end=float("nan")), "^beta_end must be a finite number, got nan$"),
        (of("FlowMatchEulerDiscrete", shift="x" * 99), "^shift must be a finite number, got 'x{59}$"),
    ],
)
def test_bad_configs_are_refused(config, message):
    with pytest.raises(ValueError, match=message) as caught:
        without_warnings(config)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("schedule", "prediction", "keys"),
    [
        (ds.linear_betas(), "eps", {"beta_schedule": "linear", "prediction_type": "epsilon"}),
        (ds.scaled_linear_betas(500, 0.001, 0.03), "x0", {"beta_schedule": "scaled_linear", "prediction_type": "sample"}),
        (ds.cosine_betas(), "v", {"beta_schedule": "squaredcos_cap_v2", "prediction_type": "v_prediction"}),
        (ds.zero_terminal_snr(ds.linear_betas()), "v", {"rescale_betas_zero_snr": True, "beta_end": 0.02}),
    ],
)
def test_tables_that_diffusers_names_round_trip(schedule, prediction, keys):
    config = ds.to_diffusers(schedule, prediction)
    assert keys.items() <= config.items()
    assert without_warnings(config) == (schedule, prediction)


def test_every_key_of_a_config():
    shared: dict[str, Any] = {"_class_name": "DDIMScheduler", "prediction_type": "v_prediction", "timestep_spacing": "trailing"}
    shared |= {"steps_offset": 0, "set_alpha_to_one": True, "clip_sample": False}
    cosine = {"num_train_timesteps": 500, "beta_schedule": "squaredcos_cap_v2"}
    assert ds.to_diffusers(ds.cosine_betas(500), "v") == shared | cosine
    trained = {"num_train_timesteps": 2, "trained_betas": [pytest.approx(0.36), pytest.approx(0.99)]}
    assert ds.to_diffusers(ds.discrete([0.36, 0.99]), "v") == shared | trained


@pytest.mark.parametrize(
    "schedule",
    [
        *(ds.offset_cosine(), ds.cosine(), ds.sigmoid_betas(), ds.cosine_betas(T=50, s=0.1), ds.discrete([0.3, 0.9, 0.9])),
        *(
            ds.zero_terminal_snr(ds.cosine()),
            ds.zero_terminal_snr(ds.shift(ds.linear_betas(), 2.0)),
            ds.discrete([0.5, 1.0, 0.5]),
        ),
    ],
    ids=lambda schedule: type(schedule).__name__,
)
def test_any_other_schedule_becomes_trained_betas(schedule):
    config = ds.to_diffusers(schedule, "v")
    table, _ = without_warnings(config)
    steps = getattr(schedule, "timesteps", 1000)
    assert table.timesteps == config["num_train_timesteps"] == steps
    for i in range(steps):
        assert table((i + 1) / steps).alpha == pytest.approx(schedule((i + 1) / steps).alpha, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(
    ("schedule", "prediction", "message"),
    [
        (ds.linear_betas(), "flow", "prediction must be one of 'eps', 'x0', 'v' for diffusers' tables, got 'flow'"),
        (ds.rectified(), "v", "must be 1 for diffusers' tables, got 0.998 at t = 0.001"),
        (ds.karras(), "v", "must be 1 for diffusers' tables"),
    ],
)
def test_schedules_and_predictions_without_a_table_in_diffusers_are_refused(schedule, prediction, message):
    with pytest.raises(ValueError, match=message):
        ds.to_diffusers(schedule, prediction)
