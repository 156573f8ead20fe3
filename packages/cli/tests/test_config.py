"""Options, recipes and --set."""

import numpy as np
import pytest
from diffkit_cli.config import RECIPES, SCHEDULE_NAMES, TrainConfig, UsageError, parse_set, schedule_named
from diffkit_schedules import to_x0
from diffkit_unet.presets import PRESETS


def test_every_recipe_is_for_a_network_that_exists():
    assert set(RECIPES) <= set(PRESETS)


def test_a_flag_beats_the_recipe():
    config = TrainConfig(lr=0.5).resolved(size=8, preset="small")
    assert (config.lr, config.steps, config.batch_size) == (0.5, RECIPES["small"]["steps"], RECIPES["small"]["batch_size"])


@pytest.mark.parametrize("name", SCHEDULE_NAMES)
def test_the_default_prediction_can_be_sampled_under_every_schedule(name):
    prediction = TrainConfig(schedule=name).resolved(size=8, preset="small").prediction
    to_x0(np.ones(1), np.ones(1), schedule_named(name)(1.0), prediction)
    assert prediction == {"cosine": "v", "sigmoid": "v", "rectified": "flow"}.get(name, "eps")


def test_dashes_are_taken_in_a_schedule_s_name():
    assert TrainConfig(schedule="offset-cosine").schedule == "offset_cosine"


def test_set_takes_every_key_in_its_type():
    values = parse_set(["size=28", "lr=1e-4", "flip=True", "preset=small", "keep=3"])
    assert values == {"size": 28, "lr": 1e-4, "flip": True, "preset": "small", "keep": 3}


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("save_evry=5", "unknown key 'save_evry': did you mean 'save_every'"),
        ("zzz=5", "unknown key 'zzz': the keys are data, size"),
        ("lr", "--set takes KEY=VALUE, got 'lr'"),
        ("lr=fast", "lr must be a number, got 'fast'"),
        ("keep=2.5", "keep must be a whole number, got '2.5'"),
        ("flip=1", "flip must be true or false, got '1'"),
    ],
)
def test_what_set_refuses(assignment, message):
    with pytest.raises(UsageError, match=message):
        parse_set([assignment])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 0}, "--steps must be from 1 to .*, got 0"),
        ({"batch_size": 0}, "--batch-size must be from 1"),
        ({"size": 10**6}, "--size must be from 1 to 4096, got 1000000"),
        ({"steps": 10**12}, "got 1000000000000"),
        ({"lr": float("nan")}, "--lr must be a number above 0, got nan"),
        ({"lr": -1.0}, "got -1.0"),
        ({"ema": 1.0}, r"--ema must be in \[0, 1\), got 1.0"),
        ({"weight_decay": float("inf")}, "weight_decay must be"),
        ({"seed": -1}, "--seed must be from 0"),
        ({"preset": "huge"}, "--preset must be one of small, tiny, tutorial; got 'huge'"),
        ({"schedule": "cosin"}, "--schedule must be one of cosine, offset_cosine, .*; got 'cosin'"),
        ({"prediction": "noise"}, "--prediction must be one of eps, x0, v, flow; got 'noise'"),
        ({"loss": "l3"}, "loss must be one of mae, mse, huber; got 'l3'"),
        ({"prediction": "eps", "schedule": "cosine"}, "--prediction eps .* --schedule cosine"),
    ],
)
def test_what_a_config_refuses(options, message):
    with pytest.raises(UsageError, match=message):
        TrainConfig(**options)
