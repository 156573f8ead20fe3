"""A run goes on with what it was trained with, or says what differs."""

import json
import math
import shutil

import pytest
import torch
from diffkit_schedules import cosine, offset_cosine, shift
from diffkit_trainer import Images, RunError, Trainer, open_images, resume, save, write_config
from diffkit_trainer.files.atomic import sha256
from diffkit_trainer.options import ROUNDING, Options, options_of
from diffkit_trainer.training.experiment import experiment
from diffkit_unet import UNet
from tiny_trainer import CONFIG, Tiny, everything, run_to, same, trainer

DIGITS = open_images("digits")


def make(images=DIGITS, schedule=None, network=Tiny, **options):
    torch.manual_seed(0)
    settings = {"batch_size": 4, "prediction": "v"} | options
    return Trainer(network(), images, schedule or offset_cosine(), **settings)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Saved at step 1."""
    run = tmp_path_factory.mktemp("run")
    write_config(run, CONFIG)
    it = make()
    run_to(it, 1)
    save(run, it, CONFIG)
    return run


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"images": Images(DIGITS.pixels.flip(-1), DIGITS.labels, DIGITS.classes)}, "images is "),
        ({"batch_size": 8}, "batch_size is 8 here and was 4"),
        ({"seed": 1}, "seed is 1 here and was 0"),
        ({"schedule": cosine()}, "schedule.name is cosine here and was offset_cosine"),
        ({"schedule": offset_cosine(max_signal=0.9)}, "schedule.max_signal is 0.9 here and was 0.95"),
        ({"schedule": shift(offset_cosine(), 2.0)}, "schedule.name is shift"),
        ({"prediction": "x0"}, "prediction is x0 here and was v"),
        ({"condition": "time"}, "condition is time here and was variance"),
        ({"loss": "mse"}, "loss is mse here and was mae"),
        ({"weighting": "snr"}, "weighting is snr here and was uniform"),
        ({"gamma": 4.0}, "gamma is 4.0 here and was 5.0"),
        ({"times": "stratified"}, "times is stratified here and was uniform"),
        ({"normalise": "range"}, r"normalisation.mean is \[0.5\] here and was \[0.305"),
        ({"ema": 0.99}, "ema is 0.99 here and was 0.999"),
        ({"ema": (0.999, 0.9)}, r"ema is \[0.999, 0.9\] here and was 0.999"),
        ({"flip": True}, "flip is True here and was False"),
        ({"class_dropout": 0.5}, "class_dropout is 0.5 here and was None"),
        ({"lr": 2e-3}, "lr is 0.002 here and was 0.001"),
        ({"weight_decay": 0.0}, "weight_decay is 0.0 here and was 0.0001"),
        (
            {"lr_schedule": "cosine", "decay_steps": 9},
            "lr_schedule is cosine here and was constant, decay_steps is 9 here and was None",
        ),
        ({"warmup": 3}, "warmup is 3 here and was 0"),
        ({"clip_grad_norm": 1.0}, "clip_grad_norm is 1.0 here and was None"),
    ],
)
def test_what_would_change_the_result_is_refused_by_name(run, options, said):
    it = make(**options)
    before = everything(it)
    with pytest.raises(ValueError, match=rf"checkpoints/1: .*{said}.*: resume with the run's own options") as caught:
        resume(run, it)
    assert "\n" not in str(caught.value)
    same(everything(it), before)


def test_all_that_differs_is_said_at_once(run):
    with pytest.raises(ValueError, match="batch_size is 8 here and was 4, seed is 7 here and was 0"):
        resume(run, make(batch_size=8, seed=7))


def test_the_same_experiment_goes_on(run):
    again = make(images=Images(DIGITS.pixels.clone(), DIGITS.labels, DIGITS.classes, name="another name"))
    assert resume(run, again) == []
    assert again.step == 1


def test_a_network_that_tells_its_config_is_compared_by_it(tmp_path):
    """Its weights would fit."""

    def network(dropout):
        return lambda: UNet(1, (4,), 1, 4, dropout=dropout)

    write_config(tmp_path, CONFIG)
    save(tmp_path, make(network=network(0.0)), CONFIG)
    with pytest.raises(ValueError, match=r"network.dropout is 0.1 here and was 0.0"):
        resume(tmp_path, make(network=network(0.1)))
    assert resume(tmp_path, make(network=network(0.0))) == []


def rewritten(run, tmp_path, change):
    """The run with another state.json that its manifest agrees with."""
    shutil.copytree(run, tmp_path / "run")
    folder = tmp_path / "run" / "checkpoints" / "1"
    numbers = json.loads((folder / "state.json").read_text())
    change(numbers)
    (folder / "state.json").write_text(json.dumps(numbers))
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["sha256"]["state.json"] = sha256(folder / "state.json")
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return tmp_path / "run"


def test_a_checkpoint_that_does_not_say_what_it_was_trained_with_is_resumed_with_a_word(run, tmp_path):
    (warning,) = resume(rewritten(run, tmp_path, lambda numbers: numbers.pop("experiment")), make())
    assert warning.endswith("checkpoints/1 has no record of its experiment: it could not be compared")


@pytest.mark.parametrize("value", [None, [], 1, "lr"])
def test_what_is_no_experiment_is_a_damaged_state(run, tmp_path, value):
    with pytest.raises(RunError, match=r"state.json: experiment: expected object, got "):
        resume(rewritten(run, tmp_path, lambda numbers: numbers.update(experiment=value)), make())


def angles(last):
    def schedule(t):
        return (t * last).cos() if isinstance(t, torch.Tensor) else math.cos(t * last), (t * last).sin() if isinstance(
            t, torch.Tensor
        ) else math.sin(t * last)

    return schedule


def test_a_schedule_of_somebody_else_is_compared_by_its_rates():
    one, same_again, other = (
        experiment(Options(), "", ((0.5,), (0.5,)), angles(last), torch.nn.Identity())["schedule"] for last in (1.5, 1.5, 1.4)
    )
    assert one == same_again != other
    assert json.loads(json.dumps(one, allow_nan=False)) == one


def test_a_config_that_wants_arguments_is_none_of_ours():
    class Writer(torch.nn.Identity):
        def to_config(self, path):
            raise AssertionError(path)

    assert "network" not in experiment(Options(), "", ((0.5,), (0.5,)), offset_cosine(), Writer())


def test_every_option_is_part_of_the_experiment_or_changes_it_by_rounding():
    of_the_data = {"images", "normalisation", "schedule"}
    assert set(make().experiment) == set(options_of(Options)) - set(ROUNDING) - {"normalise"} | of_the_data


def test_moving_on_with_another_rate_is_a_new_run_from_the_weights(run):
    from diffkit_trainer import load

    it = make(lr=1e-4)
    it.model.load_state_dict(load(run, "model").weights)
    assert len(run_to(it, 1)) == 1
    assert trainer().experiment["batch_size"] == 16
