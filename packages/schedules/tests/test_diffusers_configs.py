"""Scheduler configs as published models carry them."""

import warnings

import diffkit_schedules as ds
import pytest

STABLE_DIFFUSION = {
    "_class_name": "PNDMScheduler",
    "_diffusers_version": "0.6.0",
    **{"beta_end": 0.012, "beta_schedule": "scaled_linear", "beta_start": 0.00085, "num_train_timesteps": 1000},
    **{"set_alpha_to_one": False, "skip_prk_steps": True, "steps_offset": 1, "trained_betas": None, "clip_sample": False},
}


def quietly(config):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ds.from_diffusers(config)


@pytest.mark.parametrize(
    ("config", "schedule", "prediction"),
    [
        ({}, ds.linear_betas(), "eps"),
        ({"prediction_type": "sample"}, ds.linear_betas(), "x0"),
        ({"beta_schedule": "squaredcos_cap_v2", "prediction_type": "v_prediction"}, ds.cosine_betas(), "v"),
        ({"beta_schedule": "sigmoid", "num_train_timesteps": 500, "beta_end": 0.05}, ds.sigmoid_betas(500, 1e-4, 0.05), "eps"),
        ({"trained_betas": [0.3, 0.9, 0.9]}, ds.discrete([0.3, 0.9, 0.9]), "eps"),
        ({"rescale_betas_zero_snr": True, "prediction_type": "v_prediction"}, ds.zero_terminal_snr(ds.linear_betas()), "v"),
        ({"_class_name": "FlowMatchEulerDiscreteScheduler"}, ds.rectified(), "flow"),
        ({"_class_name": "FlowMatchEulerDiscreteScheduler", "shift": 3.0}, ds.shift(ds.rectified(), 3.0), "flow"),
        (
            {"prediction_type": "flow_prediction", "use_flow_sigmas": True, "flow_shift": 3.0},
            ds.shift(ds.rectified(), 3.0),
            "flow",
        ),
        (STABLE_DIFFUSION, ds.scaled_linear_betas(), "eps"),
    ],
)
def test_what_is_honoured(config, schedule, prediction):
    assert quietly(config) == (schedule, prediction)


def test_what_is_left_to_the_sampler_is_named():
    with pytest.warns(UserWarning, match="leaves this to the sampler: set_alpha_to_one=False, steps_offset=1$"):
        ds.from_diffusers(STABLE_DIFFUSION)
    with pytest.warns(UserWarning, match="num_train_timesteps=500$"):
        ds.from_diffusers({"_class_name": "FlowMatchEulerDiscreteScheduler", "num_train_timesteps": 500})
    with pytest.warns(UserWarning, match="clip_sample=True, timestep_spacing='leading', some_new_key=3"):
        ds.from_diffusers({"clip_sample": True, "timestep_spacing": "leading", "some_new_key": 3})


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ([], "a scheduler config is a mapping, got list"),
        ({"beta_schedule": "laplace"}, "beta_schedule must be one of 'linear', .*; got 'laplace'"),
        ({"_class_name": "EDMEulerScheduler"}, "EDMEulerScheduler is not read here"),
        ({"prediction_type": "noise"}, "prediction must be one of .*; got 'noise'"),
        ({"_class_name": "FlowMatchEulerDiscreteScheduler", "use_dynamic_shifting": True}, "use_dynamic_shifting"),
    ],
)
def test_what_is_refused(config, message):
    with pytest.raises(ValueError, match=message):
        ds.from_diffusers(config)


@pytest.mark.parametrize(
    ("schedule", "prediction", "keys"),
    [
        (ds.linear_betas(), "eps", {"beta_schedule": "linear", "prediction_type": "epsilon"}),
        (ds.scaled_linear_betas(500, 0.001, 0.03), "x0", {"beta_schedule": "scaled_linear", "prediction_type": "sample"}),
        (ds.cosine_betas(), "v", {"beta_schedule": "squaredcos_cap_v2", "prediction_type": "v_prediction"}),
        (ds.zero_terminal_snr(ds.linear_betas()), "v", {"rescale_betas_zero_snr": True, "beta_end": 0.02}),
    ],
)
def test_tables_that_have_a_name_there_come_back_equal(schedule, prediction, keys):
    config = ds.to_diffusers(schedule, prediction)
    assert keys.items() <= config.items()
    assert quietly(config) == (schedule, prediction)


@pytest.mark.parametrize(
    "schedule",
    [
        *(ds.offset_cosine(), ds.cosine(), ds.sigmoid_betas(), ds.cosine_betas(T=50, s=0.1), ds.discrete([0.3, 0.9, 0.9])),
        ds.zero_terminal_snr(ds.cosine()),
    ],
    ids=lambda schedule: type(schedule).__name__,
)
def test_any_other_becomes_the_table_of_its_own_rates(schedule):
    config = ds.to_diffusers(schedule, "v")
    table, _ = quietly(config)
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
def test_what_diffusers_has_no_table_for(schedule, prediction, message):
    with pytest.raises(ValueError, match=message):
        ds.to_diffusers(schedule, prediction)
