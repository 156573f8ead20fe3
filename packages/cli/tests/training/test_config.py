"""What a config refuses, and how defaults, recipes and options come together."""

import diffkit_samplers
import diffkit_schedules
import diffkit_trainer
import diffkit_unet
import numpy as np
import pytest
from diffkit_cli.commands.export import ENDINGS
from diffkit_cli.errors import UsageError
from diffkit_cli.options import choices as names
from diffkit_cli.sampling.options import METHODS
from diffkit_cli.training.config import TrainConfig, schedule_named
from diffkit_cli.training.presets import RECIPES, decided
from diffkit_schedules import to_x0

TABLES = ("discrete", "shift", "zero_terminal_snr", "karras")


@pytest.mark.parametrize(
    ("words", "owner"),
    [
        (names.PRESETS, diffkit_unet.PRESETS),
        (names.PRESETS, RECIPES),
        (names.SCHEDULE_NAMES, [name for name in diffkit_schedules.SCHEDULES if name not in TABLES]),
        (names.ALL_SCHEDULES, [name for name in diffkit_schedules.SCHEDULES if name not in TABLES] + ["karras"]),
        (names.FORMATS, ENDINGS),
        (names.PREDICTIONS, diffkit_schedules.PREDICTIONS),
        (names.WEIGHTINGS, diffkit_schedules.WEIGHTS),
        (names.LOSSES, diffkit_trainer.LOSSES),
        (names.TIMES, diffkit_trainer.TIMES),
        (names.NORMALISATIONS, diffkit_trainer.NORMALISATIONS),
        (names.LEARNING_RATES, diffkit_trainer.LEARNING_RATES),
        (names.PRECISIONS, diffkit_trainer.PRECISIONS),
        (names.SAMPLERS, METHODS),
        (names.SPACINGS, diffkit_samplers.SPACINGS),
    ],
)
def test_the_words_are_their_owners(words, owner):
    assert words == tuple(owner)


def test_the_tutorials_recipe_is_the_tutorials():
    """50 epochs of 5 repetitions of some 8,000 images."""
    config = decided({}, preset="tutorial")
    assert (config.schedule, config.prediction, config.loss, config.weighting) == ("offset_cosine", "eps", "mae", "uniform")
    assert (config.batch_size, config.lr, config.weight_decay, config.ema) == (64, 1e-3, 1e-4, 0.999)
    assert (config.lr_schedule, config.warmup, config.clip, config.flip) == ("constant", 0, None, False)
    assert config.steps * config.batch_size == 50 * 5 * 8000


@pytest.mark.parametrize("name", ["ddpm-cifar10", "ddpm-64"])
def test_the_papers_recipe_is_the_papers(name):
    config = decided({"preset": name})
    assert (config.schedule, config.prediction, config.loss, config.weighting) == ("linear_betas", "eps", "mse", "uniform")
    assert (config.batch_size, config.lr, config.weight_decay, config.ema) == (128, 2e-4, 0.0, 0.9999)
    assert (config.lr_schedule, config.warmup, config.clip, config.flip) == ("constant", 5000, 1.0, True)
    assert diffkit_unet.PRESETS[name]["dropout"] == 0.1
    assert diffkit_unet.PRESETS[name]["condition"] == "index"


def test_what_is_given_beats_the_recipe_key_by_key():
    config = decided({"preset": "ddpm-64", "ema": 0.5, "clip": None, "steps": None, "schedule": "cosine"}, preset="small")
    assert (config.ema, config.clip, config.schedule, config.prediction) == (0.5, None, "cosine", "v")
    assert (config.steps, config.warmup, config.preset) == (500_000, 5000, "ddpm-64")


def test_a_cosine_learning_rate_ends_with_the_steps_it_began_with():
    assert decided({"steps": 70, "lr_schedule": "cosine"}, preset="small").decay_steps == 70
    assert decided({"steps": 70, "lr_schedule": "cosine", "decay_steps": 90}, preset="small").decay_steps == 90
    assert decided({"steps": 70}, preset="small").decay_steps is None


@pytest.mark.parametrize("name", names.SCHEDULE_NAMES)
def test_the_default_prediction_can_be_sampled_under_every_schedule(name):
    prediction = decided({"schedule": name}, preset="small").prediction
    to_x0(np.ones(1), np.ones(1), schedule_named(name)(1.0), prediction)
    assert prediction == {"cosine": "v", "sigmoid": "v", "rectified": "flow"}.get(name, "eps")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 0}, "--steps must be from 1 to .*, got 0"),
        ({"batch_size": 0}, "--batch-size must be from 1"),
        ({"size": 10**6}, "--size must be from 1 to 4096, got 1000000"),
        ({"steps": 10**12}, "got 1000000000000"),
        ({"lr": float("nan")}, r"--lr must be a number above 0, at most 1e\+30, got nan"),
        ({"lr": -1.0}, "got -1.0"),
        ({"ema": 1.0}, r"--ema must be in \[0, 1\), got 1.0"),
        ({"weight_decay": float("inf")}, "weight_decay must be"),
        ({"seed": -1}, "--seed must be from 0"),
        ({"preset": "huge"}, "--preset must be one of tutorial, small, tiny, .*; got 'huge'"),
        ({"schedule": "cosin"}, "--schedule must be one of cosine, offset_cosine, .*; got 'cosin'"),
        ({"prediction": "noise"}, "--prediction must be one of eps, x0, v, flow; got 'noise'"),
        ({"loss": "l3"}, "loss must be one of mae, mse, huber; got 'l3'"),
        ({"prediction": "eps", "schedule": "cosine"}, "--prediction eps .* --schedule cosine"),
    ],
)
def test_what_a_config_refuses(options, message):
    with pytest.raises(UsageError, match=message):
        TrainConfig(**options)
