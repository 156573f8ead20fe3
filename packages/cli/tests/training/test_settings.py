"""--set, --config and their order; both are refused in the same words."""

import json

import pytest
from diffkit_cli.errors import UsageError
from diffkit_cli.training.presets import decided
from diffkit_cli.training.settings import parse_set, read_settings, to_toml
from running import keys, one_line, process


@pytest.fixture
def file(tmp_path):
    def write(text):
        path = tmp_path / "my.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


VALUES = {"size": 28, "lr": 1e-4, "flip": True, "preset": "small", "keep": 3, "clip": 2.0, "keep_every": None, "data": "none"}


def test_set_takes_every_key_in_its_type():
    words = ["size=28", "lr=1e-4", "flip=True", "preset=small", "keep=3", "clip=2", "keep_every=none", "data=none"]
    assert parse_set(words) == VALUES


def test_a_file_takes_every_key_in_its_type(file):
    text = 'size = 28\nlr = 1e-4\nflip = true\npreset = "small"\nkeep = 3\nclip = 2\nkeep_every = "none"\ndata = "none"\n'
    assert read_settings(file(text)) == VALUES


@pytest.mark.parametrize(
    ("text", "words", "message"),
    [
        ("save_evry = 5", "save_evry=5", "unknown key 'save_evry': did you mean 'save_every'?"),
        ("zzz = 5", "zzz=5", "unknown key 'zzz': the keys are data, size, "),
        ('lr = "fast"', "lr=fast", "lr must be a number or none, got 'fast'"),
        ('keep = "none"', "keep=none", "keep must be a whole number, got 'none'"),
        ('flip = "yes"', "flip=yes", "flip must be true or false, got 'yes'"),
        ("lr = nan", "lr=nan", "--lr must be a number above 0, at most 1e+30, got nan"),
        ("ema = inf", "ema=inf", r"--ema must be in [0, 1), got inf"),
        ("steps = 0", "steps=0", "--steps must be from 1 to 1000000000, got 0"),
    ],
)
def test_the_same_words_refuse_a_file_and_set(file, text, words, message):
    with pytest.raises(UsageError) as said:
        decided(parse_set([words]))
    assert message in str(said.value)
    path = file(text)
    with pytest.raises(UsageError) as said:
        read_settings(path)
    assert str(said.value).startswith(f"--config {path}: {message.removeprefix('--')}"), "a file has keys, not flags"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("keep = true", "keep must be a whole number, got true"),
        ("flip = 1", "flip must be true or false, got 1"),
        ("keep = 2.5", "keep must be a whole number, got 2.5"),
        ('lr = "1e-4"', "lr must be a number or none, got '1e-4'"),
        ("lr = [1]", "lr must be a number or none, got [1]"),
        ("data = 3", "data must be a text, got 3"),
        (f"lr = 1{'0' * 400}", "lr must be a number or none, got 1000"),
        ("[training]\nsteps = 3", "[training] is a table: write the keys without one, as size = 64"),
        ("steps = 3\nlr = = 1", "is no TOML: Invalid value (at line 2, column 6)"),
        ("steps = 3\nsteps = 4", "is no TOML: Cannot overwrite a value (at "),
        (b"data = '\xff'", "is no TOML: 'utf-8' codec"),
        (f"lr = {'[' * 5000}", "is no TOML: "),
        (f"keep = {'9' * 9000}", "is no TOML: "),
    ],
)
def test_what_a_file_is_refused_for(file, text, message):
    path = file(text)
    with pytest.raises(UsageError) as said:
        read_settings(path)
    assert str(said.value).startswith(f"--config {path}: {message}")
    assert "\n" not in str(said.value)
    assert len(str(said.value)) < 1000


def test_set_wants_an_assignment():
    with pytest.raises(UsageError, match="--set takes KEY=VALUE, got 'lr'"):
        parse_set(["lr"])


def test_a_config_survives_being_written_as_a_file(file):
    config = decided({"data": 'a "b" \\ \n é', "keep_every": 7, "lr": 1e-7, "flip": True}, preset="ddpm-64")
    assert decided(read_settings(file(to_toml(config)))) == config


def test_defaults_then_recipe_then_file_then_flags_then_set(tmp_path, file):
    """The words of a whole command; each key is decided by the last that speaks of it."""
    path = file('preset = "ddpm-cifar10"\nlr = 1e-5\nema = 0.9\nseed = 1\nsteps = 6\nwarmup = 3\nclip = "none"\nbatch_size = 4')
    flags = ["--ema", "0.8", "--seed", 2, "--preset", "small"]
    sets = keys("seed=3", "keep_every=5", "lr=none")
    done = process("train", "--config", path, *flags, *sets, "--dry-run", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    config = json.loads(done.stdout)["config"]
    assert (config["loss"], config["preset"], config["warmup"], config["steps"]) == ("mae", "small", 3, 6)
    assert (config["ema"], config["seed"], config["keep_every"], config["clip"]) == (0.8, 3, 5, None)
    assert config["lr"] == 1e-3, "none: the recipe's"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nowhere.toml", "cannot be read (No such file or directory); expected a TOML file"),
        (".", "expected a regular file, found a folder; expected a TOML file"),
    ],
)
def test_a_file_that_is_none(tmp_path, name, message):
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
