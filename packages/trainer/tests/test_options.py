"""Options: defaults, the ends of each range, and error messages."""

import inspect
import math
import subprocess
import sys

import msgspec
import pytest
from diffkit_schedules import CONDITIONS, PREDICTIONS, WEIGHTINGS
from diffkit_trainer import LOSSES, LR_SCHEDULES, NORMALISATIONS, PRECISIONS, TIMES, Trainer
from diffkit_trainer.options import OptionError, Options, nearest, options_of

OPTIONS = options_of(Options)


@pytest.mark.parametrize(
    ("name", "owner"),
    [
        *(("prediction", PREDICTIONS), ("condition", CONDITIONS), ("loss", LOSSES), ("weighting", WEIGHTINGS), ("times", TIMES)),
        *(("normalise", NORMALISATIONS), ("lr_schedule", LR_SCHEDULES), ("precision", ("auto", *PRECISIONS))),
    ],
)
def test_the_choices_are_the_implemented_names(name, owner):
    assert OPTIONS[name].choices == tuple(owner)


def test_each_option_has_a_valid_default_and_a_line_of_help():
    for option in OPTIONS.values():
        assert option.check(option.default) == option.default
        assert option.help.endswith((".", "One of:")), option.help


@pytest.mark.parametrize(
    ("name", "inside", "outside"),
    [
        ("batch_size", [1, 65536], [0, 65537, True, 1.5, "8", None]),
        ("accumulate", [1, 65536], [0, 65537]),
        ("lr", [1e-30, 1e30, 1], [0, -1.0, 1.1e30, math.nan, math.inf, "fast", 10**400]),
        ("weight_decay", [0, 1e30], [-1e-9, math.nan, math.inf]),
        ("warmup", [0, 10**9], [-1, 10**9 + 1]),
        ("decay_steps", [1, 10**9, None], [0]),
        ("clip_grad_norm", [1e-30, None], [0.0, math.nan]),
        ("gamma", [1e-30, 1e30], [0.0, math.inf]),
        ("class_dropout", [0, 1, None], [-0.01, 1.01, math.nan]),
        ("ema", [0, 0.9999999, (0.9, 0.99), [0.5]], [1, -0.1, math.nan, (), (0.9, 1.0)]),
        ("seed", [0, 2**63 - 1], [-1, 2**63, 0.5]),
        ("flip", [True, False], [1, "yes", None]),
        ("loss", ["mae", "mse", "huber"], ["l1", None, 0]),
    ],
)
def test_the_ends_of_a_range_are_accepted_and_values_beyond_are_refused(name, inside, outside):
    for value in inside:
        accepted = getattr(Options(**{name: value}), name)
        assert accepted == (tuple(value) if isinstance(value, list) else value)
    for value in outside:
        with pytest.raises(OptionError, match=f"^{name} must be ") as caught:
            Options(**{name: value})
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lr": 0}, "lr must be a number above 0, at most 1e+30, got 0.0"),
        ({"ema": 1.0}, "ema must be a number in [0, 1), or several of them, got 1.0"),
        ({"batch_size": 0}, "batch_size must be an integer from 1 to 65536, got 0"),
        ({"decay_steps": 0}, "decay_steps must be an integer from 1 to 1000000000 or none, got 0"),
        ({"loss": "l1"}, "loss must be one of mae, mse, huber, got 'l1'"),
        ({"flip": "yes"}, "flip must be true or false, got 'yes'"),
        ({"class_dropout": 2}, "class_dropout must be a number in [0, 1] or none, got 2.0"),
    ],
)
def test_an_error_names_the_option_the_range_and_the_value(options, message):
    with pytest.raises(OptionError) as caught:
        Options(**options)
    assert str(caught.value) == message


def test_an_integer_becomes_a_float():
    assert type(Options(lr=2).lr) is float
    assert type(Options(clip_grad_norm=1).clip_grad_norm) is float
    assert type(Options(ema=0).ema) is float


def test_changed_options_are_a_validated_copy():
    options = Options(lr=0.5)
    assert options.changed(batch_size=8) == Options(lr=0.5, batch_size=8)
    assert options == Options(lr=0.5)
    with pytest.raises(OptionError, match="batch_size"):
        options.changed(batch_size=0)
    with pytest.raises(TypeError, match=r"a trainer has no option 'weigth_decay': did you mean 'weight_decay'\?"):
        options.changed(weigth_decay=0.0)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("learning_rate", r"a trainer has no option 'learning_rate': the options are .*\blr\b"),
        ("batchsize", r"no option 'batchsize': did you mean 'batch_size'\?"),
        ("weigth_decay", r"did you mean 'weight_decay'\?"),
        ("normalize", r"did you mean 'normalise'\?"),
    ],
)
def test_trainer_refuses_an_unknown_option_with_the_nearest_one(name, message, make_trainer):
    with pytest.raises(TypeError, match=message) as caught:
        make_trainer(**{name: 9.0})
    assert "\n" not in str(caught.value)


def test_the_signature_of_a_trainer_has_every_option():
    parameters = inspect.signature(Trainer).parameters
    assert list(parameters)[:4] == ["model", "images", "schedule", "options"]
    assert {name: parameters[name].default for name in OPTIONS} == msgspec.structs.asdict(Options())


def test_the_nearest_names_are_suggested_or_all_listed():
    assert nearest("lr_schedul", OPTIONS, "options") == "did you mean 'lr_schedule'?"
    assert nearest("?", ["a", "b"], "options") == "the options are a, b"
    assert nearest("?", map(str, range(60)), "options") == "the nearest of 60 options are 9, 8, 7"


def test_options_import_neither_torch_nor_numpy():
    script = "import sys, diffkit_trainer.options; print([name for name in ('torch', 'numpy') if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "[]\n"
