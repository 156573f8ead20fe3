"""How defaults, presets and given options come together, and what they refuse."""

import diffkit_schedules
import diffkit_unet
import numpy as np
import pytest
from diffkit_cli.errors import UsageError
from diffkit_cli.recipes import PRESETS
from diffkit_cli.training.options import SCHEDULE_NAMES
from diffkit_cli.training.start.resolve import check_together, resolve
from diffkit_schedules import from_config, to_x0

TABLES = ("discrete", "shift", "zero_terminal_snr", "karras")


@pytest.mark.parametrize(
    ("words", "owner"),
    [
        (PRESETS, diffkit_unet.PRESETS),
        (SCHEDULE_NAMES, [name for name in diffkit_schedules.SCHEDULES if name not in TABLES]),
    ],
)
def test_choices_are_those_of_their_tables(words, owner):
    assert tuple(words) == tuple(owner)


def resolved(given, preset="small"):
    return resolve({"preset": preset} | given, side=64, size=None)


def test_the_preset_tutorial_is_the_keras_tutorial():
    """50 epochs of 5 repetitions of some 8,000 images."""
    config = resolved({}, "tutorial")
    assert (config.schedule, config.prediction, config.loss, config.weighting) == ("offset_cosine", "eps", "mae", "uniform")
    assert (config.batch_size, config.lr, config.weight_decay, config.ema) == (64, 1e-3, 1e-4, 0.999)
    assert (config.lr_schedule, config.warmup, config.clip_grad_norm, config.flip) == ("constant", 0, None, False)
    assert config.steps * config.batch_size == 50 * 5 * 8000


@pytest.mark.parametrize(("name", "flip"), [("images-16", False), ("images-32", False), ("images-64", True)])
def test_the_presets_for_images_have_the_linear_part_and_a_learning_rate_that_ends_at_0(name, flip):
    config = resolved({}, name)
    assert (config.optimiser, config.lr, config.batch_size, config.flip) == ("muon", 3e-3, 64, flip)
    assert (config.linear, config.schedule, config.prediction, config.loss, config.times) == (
        True,
        "cosine",
        "v",
        "mse",
        "stratified",
    )
    assert (config.lr_schedule, config.decay_steps) == ("cosine", config.steps)
    assert not resolved({"linear": False}, name).linear


@pytest.mark.parametrize("name", ["ddpm-cifar10", "ddpm-64"])
def test_the_preset_of_a_paper_has_the_papers_options(name):
    config = resolved({"preset": name})
    assert (config.schedule, config.prediction, config.loss, config.weighting) == ("linear_betas", "eps", "mse", "uniform")
    assert (config.batch_size, config.lr, config.weight_decay, config.ema) == (128, 2e-4, 0.0, 0.9999)
    assert (config.lr_schedule, config.warmup, config.clip_grad_norm, config.flip) == ("constant", 5000, 1.0, True)
    assert diffkit_unet.PRESETS[name]["dropout"] == 0.1
    assert diffkit_unet.PRESETS[name]["condition"] == "index"


def test_a_given_option_overrides_the_preset():
    config = resolved({"preset": "ddpm-64", "ema": 0.5, "clip_grad_norm": None, "steps": None, "schedule": "cosine"})
    assert (config.ema, config.clip_grad_norm, config.schedule, config.prediction) == (0.5, None, "cosine", "v")
    assert (config.steps, config.warmup, config.preset) == (500_000, 5000, "ddpm-64")


def test_a_cosine_learning_rate_ends_with_the_steps_it_began_with():
    assert resolved({"steps": 70, "lr_schedule": "cosine"}).decay_steps == 70
    assert resolved({"steps": 70, "lr_schedule": "cosine", "decay_steps": 90}).decay_steps == 90
    assert resolved({"steps": 70}).decay_steps is None


def test_a_short_run_whose_learning_rate_falls_has_a_short_warm_up():
    warmups = [resolved({"steps": steps}, "images-64").warmup for steps in (8000, 2000, 500, 7)]
    assert warmups == [200, 200, 50, 0]
    assert resolved({"steps": 500, "warmup": 200}, "images-64").warmup == 200
    assert resolved({"steps": 500}, "medium").warmup == 500, "its learning rate stays"


@pytest.mark.parametrize("name", SCHEDULE_NAMES)
def test_the_default_prediction_can_be_sampled_under_every_schedule(name):
    prediction = resolved({"schedule": name}).prediction
    to_x0(np.ones(1), np.ones(1), from_config({"name": name})(1.0), prediction)
    assert prediction == {"cosine": "v", "sigmoid": "v", "rectified": "flow"}.get(name, "eps")


@pytest.mark.parametrize("schedule", ["cosine", "rectified", "sigmoid"])
def test_eps_is_refused_where_the_schedule_ends_in_pure_noise(schedule):
    with pytest.raises(UsageError, match=f"eps is undefined at zero terminal SNR .--schedule {schedule}.: use --prediction v"):
        check_together({"prediction": "eps", "schedule": schedule})
    check_together({"prediction": "eps", "schedule": "linear"})
    check_together({"prediction": "eps"})
    check_together({"schedule": schedule})


@pytest.mark.parametrize(
    ("side", "preset"),
    [(8, "images-16"), (16, "images-16"), (17, "images-32"), (36, "images-32"), (37, "images-64"), (9999, "images-64")],
)
def test_the_size_of_the_images_chooses_the_preset(side, preset):
    assert resolve({}, side=side, size=None).preset == preset
    assert resolve({"preset": "tiny"}, side=side, size=None).preset == "tiny"
