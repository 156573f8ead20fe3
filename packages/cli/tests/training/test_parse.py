"""Flags, --set and --config: one check for all, and which of them counts."""

import json

import pytest
from diffkit_cli.errors import UsageError
from diffkit_cli.recipes import PRESETS
from diffkit_cli.training.options import OPTIONS
from diffkit_cli.training.parse import parse_flags, parse_set, read_toml, to_toml
from diffkit_cli.training.start.resolve import resolve

from ..helpers import keys, one_line, process


@pytest.fixture
def file(tmp_path):
    def write(text):
        path = tmp_path / "my.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


VALUES = {
    "size": 28,
    "lr": 1e-4,
    "flip": True,
    "preset": "small",
    "keep": 3,
    "clip_grad_norm": 2.0,
    "keep_every": None,
    "data": "none",
}


def test_set_takes_every_key_in_its_type():
    words = ["size=28", "lr=1e-4", "flip=True", "preset=small", "keep=3", "clip_grad_norm=2", "keep_every=none", "data=none"]
    assert parse_set(words) == VALUES


def test_a_file_takes_every_key_in_its_type(file):
    text = (
        'size = 28\nlr = 1e-4\nflip = true\npreset = "small"\nkeep = 3\nclip_grad_norm = 2\nkeep_every = "none"\ndata = "none"\n'
    )
    assert read_toml(file(text)) == VALUES


@pytest.mark.parametrize(
    ("text", "assignment", "message"),
    [
        ("save_evry = 5", "save_evry=5", "unknown option 'save_evry': did you mean 'save_every'"),
        ("zzz = 5", "zzz=5", "unknown option 'zzz': the nearest of "),
        ('lr = "fast"', "lr=fast", "lr must be a number above 0, at most 1e+30, got 'fast'"),
        ('keep = "many"', "keep=many", "keep must be an integer from 1 to 1000000000, got 'many'"),
        ('flip = "yes"', "flip=yes", "flip must be true or false, got 'yes'"),
        ("lr = nan", "lr=nan", "lr must be a number above 0, at most 1e+30, got nan"),
        ("ema = inf", "ema=inf", "ema must be a number in [0, 1), or several of them, got inf"),
        ("steps = 0", "steps=0", "steps must be an integer from 1 to 1000000000, got 0"),
        ('schedule = "cosin"', "schedule=cosin", "schedule must be one of cosine, offset_cosine, "),
        ('log_to = ["csv"]', "log_to=csv", "log_to must be one of tensorboard, wandb, got 'csv'"),
    ],
)
def test_a_file_and_set_are_refused_by_the_same_message(file, text, assignment, message):
    with pytest.raises(UsageError) as caught:
        parse_set([assignment])
    assert str(caught.value).startswith(f"--set: {message}")
    path = file(text)
    with pytest.raises(UsageError) as caught:
        read_toml(path)
    assert str(caught.value).startswith(f"--config {path}: {message}")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"lr": "fast"}, "--lr must be a number above 0, at most 1e+30, got 'fast'"),
        ({"batch_size": "0"}, "--batch-size must be an integer from 1 to 65536, got 0"),
        ({"steps": "1.5"}, "--steps must be an integer from 1 to 1000000000, got '1.5'"),
        ({"prediction": "noise"}, "--prediction must be one of eps, x0, v, flow, got 'noise'"),
        (
            {"preset": "huge"},
            f"--preset must be one of {', '.join(PRESETS)}, got 'huge'",
        ),
    ],
)
def test_a_flag_is_refused_by_its_name(flags, message):
    with pytest.raises(UsageError) as caught:
        parse_flags(flags)
    assert str(caught.value) == message


def test_words_may_have_dashes_and_lists_commas():
    assert parse_flags({"schedule": "offset-cosine", "ema": "0.9,0.99"}) == {"schedule": "offset_cosine", "ema": (0.9, 0.99)}
    assert parse_set(["log_to=tensorboard"]) == {"log_to": ("tensorboard",)}


def test_none_unsets_any_option_but_the_data():
    assert parse_set([f"{name}=none" for name in OPTIONS if name != "data"]) == dict.fromkeys(OPTIONS.keys() - {"data"})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("keep = true", "keep must be an integer from 1 to 1000000000, got true"),
        ("flip = 1", "flip must be true or false, got 1"),
        ("keep = 2.5", "keep must be an integer from 1 to 1000000000, got 2.5"),
        ('lr = "1e-4"', "lr must be a number above 0, at most 1e+30, got '1e-4'"),
        ("lr = [1]", "lr must be a number above 0, at most 1e+30, got [1]"),
        ("data = 3", "data must be a string, got 3"),
        (f"lr = 1{'0' * 400}", "lr must be a number above 0, at most 1e+30, got 1000"),
        ("[training]\nsteps = 3", "[training] is a table: write the options without one, as size = 64"),
        ("steps = 3\nlr = = 1", "not valid TOML: Invalid value (at line 2, column 6)"),
        ("steps = 3\nsteps = 4", "not valid TOML: Cannot overwrite a value (at "),
        (b"data = '\xff'", "not valid TOML: 'utf-8' codec"),
        (f"lr = {'[' * 5000}", "not valid TOML: "),
        (f"keep = {'9' * 9000}", "not valid TOML: "),
    ],
)
def test_an_invalid_config_file_is_refused(file, text, message):
    path = file(text)
    with pytest.raises(UsageError) as said:
        read_toml(path)
    assert str(said.value).startswith(f"--config {path}: {message}")
    assert "\n" not in str(said.value)
    assert len(str(said.value)) < 1000


@pytest.mark.parametrize(("key", "value"), [("out", '"x"'), ("resume", "true"), ("dry_run", "true")])
def test_what_is_a_flag_alone_is_no_option_of_a_file(file, key, value):
    with pytest.raises(UsageError, match=f"{key} is no option of a file: give --{key.replace('_', '-')} on the command line"):
        read_toml(file(f"{key} = {value}"))
    assert read_toml(file("skip_bad = true")) == {"skip_bad": True}


def test_set_requires_an_assignment():
    with pytest.raises(UsageError, match="--set takes KEY=VALUE, got 'lr'"):
        parse_set(["lr"])


def test_a_config_round_trips_through_a_file(file):
    given = {"data": 'a "b" \\ \n é', "keep_every": 7, "lr": 1e-7, "flip": True, "preset": "ddpm-64", "ema": (0.9, 0.99)}
    options = resolve(given, side=64, size=64)
    assert resolve(read_toml(file(to_toml(options))), side=8, size=64) == options


def test_defaults_then_recipe_then_file_then_flags_then_set(tmp_path, file):
    """The arguments of one command; the last source that gives a key decides it."""
    path = file(
        'preset = "ddpm-cifar10"\nlr = 1e-5\nema = 0.9\nseed = 1\nsteps = 6\nwarmup = 3\nclip_grad_norm = "none"\nbatch_size = 4'
    )
    flags = ["--ema", "0.8", "--seed", 2, "--preset", "small"]
    sets = keys("seed=3", "keep_every=5", "lr=none")
    done = process("train", "--config", path, *flags, *sets, "--dry-run", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    config = json.loads(done.stdout)["config"]
    assert (config["loss"], config["preset"], config["warmup"], config["steps"]) == ("mae", "small", 3, 6)
    assert (config["ema"], config["seed"], config["keep_every"], config["clip_grad_norm"]) == (0.8, 3, 5, None)
    assert config["lr"] == 1e-3, "none: the recipe's"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nowhere.toml", "cannot be read (No such file or directory); expected a TOML file"),
        (".", "expected a regular file, found a folder; expected a TOML file"),
    ],
)
def test_a_config_file_that_cannot_be_read_is_refused(tmp_path, name, message):
    done = process("train", "--config", name, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert one_line(done.stderr) == f"diffkit: --config {name}: {message}\n"
    assert list(tmp_path.iterdir()) == []


def test_data_of_a_file_is_relative_to_the_working_directory(tmp_path):
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "a.toml").write_text('data = "pictures"\n')
    done = process("train", "--config", "configs/a.toml", cwd=tmp_path)
    assert done.returncode == 3
    assert "pictures" in one_line(done.stderr)
    assert "configs/pictures" not in done.stderr
