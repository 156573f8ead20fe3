"""A run is resumed with the experiment that it was started with; an error lists every difference."""

import json
import shutil

import pytest
import torch
from diffkit_schedules import cosine, offset_cosine, shift
from diffkit_trainer import Images, RunError, Trainer, latest_checkpoint, load, open_images, resume, save, write_config
from diffkit_trainer.files.atomic import sha256
from diffkit_trainer.options import ROUNDING, SPEED, Options, options_of
from diffkit_trainer.training.experiment import experiment

DIGITS = open_images("digits")


@pytest.fixture(scope="module")
def make(tiny_network):
    """A function that makes a trainer with other images, another schedule or other options."""

    def trainer(images=DIGITS, schedule=None, **options):
        torch.manual_seed(0)
        settings = {"batch_size": 4, "prediction": "v"} | options
        return Trainer(tiny_network(), images, schedule or offset_cosine(), **settings)

    return trainer


@pytest.fixture(scope="module")
def run(tmp_path_factory, config, train_to, make):
    """A run with a checkpoint of step 1."""
    run = tmp_path_factory.mktemp("run")
    write_config(run, config)
    trainer = make()
    train_to(trainer, 1)
    save(run, trainer, config)
    return run


@pytest.mark.parametrize(
    ("options", "message"),
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
def test_resume_refuses_another_experiment_and_names_the_difference(run, options, message, state_of, assert_same_state, make):
    trainer = make(**options)
    before = state_of(trainer)
    with pytest.raises(ValueError, match=rf"checkpoints/1: .*{message}.*: resume with the run's own options") as caught:
        resume(run, trainer)
    assert "\n" not in str(caught.value)
    assert_same_state(state_of(trainer), before)


def test_an_option_that_may_change_is_the_trainer_s_from_there_on(run, make, train_to):
    """Its optimiser continues: the weights are those of a trainer whose learning rate is set by hand."""
    changed, by_hand = make(lr=2e-3), make()
    assert resume(run, changed, may_change=("lr",)) == resume(run, by_hand, checkpoint=latest_checkpoint(run)) == []
    by_hand.optimiser.lr.fill_(2e-3)
    for trainer in (changed, by_hand):
        train_to(trainer, 3)
    assert all(torch.equal(*pair) for pair in zip(changed.model.parameters(), by_hand.model.parameters(), strict=True))
    with pytest.raises(ValueError, match="seed is 7 here and was 0: resume with"):
        resume(run, make(lr=2e-3, seed=7), may_change=("lr",))


def test_an_error_lists_every_difference(run, make):
    with pytest.raises(ValueError, match="batch_size is 8 here and was 4, seed is 7 here and was 0"):
        resume(run, make(batch_size=8, seed=7))


def test_resume_accepts_the_same_experiment(run, make):
    trainer = make(images=Images(DIGITS.pixels.clone(), DIGITS.labels, DIGITS.classes, name="another name"))
    assert resume(run, trainer) == []
    assert trainer.step == 1


def with_state(run, tmp_path, change):
    """A copy of the run with a changed state.json and its sha256 in the manifest."""
    shutil.copytree(run, tmp_path / "run")
    folder = tmp_path / "run" / "checkpoints" / "1"
    numbers = json.loads((folder / "state.json").read_text())
    change(numbers)
    (folder / "state.json").write_text(json.dumps(numbers))
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["sha256"]["state.json"] = sha256(folder / "state.json")
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return tmp_path / "run"


def test_resume_warns_of_a_checkpoint_without_an_experiment(run, tmp_path, make):
    (warning,) = resume(with_state(run, tmp_path, lambda numbers: numbers.pop("experiment")), make())
    assert warning.endswith("checkpoints/1 has no record of its experiment: it could not be compared")


@pytest.mark.parametrize("value", [None, [], 1, "lr"])
def test_resume_refuses_a_state_with_an_invalid_experiment(run, tmp_path, value, make):
    with pytest.raises(RunError, match=r"state.json: experiment: expected object, got "):
        resume(with_state(run, tmp_path, lambda numbers: numbers.update(experiment=value)), make())


def angles(last):
    def schedule(t):
        angle = torch.as_tensor(t) * last
        return angle.cos(), angle.sin()

    return schedule


def test_a_schedule_without_a_config_is_compared_by_its_rates():
    one, equal, other = (
        experiment(Options(), "", ((0.5,), (0.5,)), angles(last), torch.nn.Identity())["schedule"] for last in (1.5, 1.5, 1.4)
    )
    assert one == equal != other
    assert json.loads(json.dumps(one, allow_nan=False)) == one


def test_a_to_config_that_needs_arguments_is_not_called():
    class Writer(torch.nn.Identity):
        def to_config(self, path):
            raise AssertionError(path)

    assert "network" not in experiment(Options(), "", ((0.5,), (0.5,)), offset_cosine(), Writer())


def test_every_option_is_in_the_experiment_or_changes_it_by_rounding_at_most(make):
    parts = {"images", "normalisation", "schedule"}
    assert set(make().experiment) == set(options_of(Options)) - {*ROUNDING, *SPEED, "normalise"} | parts


def test_a_new_run_starts_from_the_weights_with_another_learning_rate(run, make, train_to):
    trainer = make(lr=1e-4)
    trainer.model.load_state_dict(load(run, "model").weights)
    assert len(train_to(trainer, 1)) == 1
