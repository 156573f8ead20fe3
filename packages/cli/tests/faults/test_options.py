"""Options, data and shared runs out of range, damaged or malicious."""

import json
import os
import pickle
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from diffkit_trainer import load
from diffkit_trainer.files.atomic import sha256
from PIL import Image

from ..helpers import keys, process


def diffkit(*arguments):
    done = process(*arguments)
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stderr


def cost(code):
    """Processor seconds and megabytes of a few lines, beyond what the imports take."""
    script = f"""if True:
        import resource, sys, time
        from diffkit_cli.errors import UsageError
        from diffkit_cli.training.parse import parse_flags, parse_set
        import diffkit_cli.training.session
        from diffkit_unet import UNet
        before, begun = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
        try:
            {code}
        except ValueError as error:
            print(type(error).__name__, time.process_time() - begun)
            print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
    """
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    return said[0], float(said[1]), float(said[2])


@pytest.mark.parametrize(
    "code",
    [
        "parse_flags({'size': str(10**6)})",
        "parse_flags({'steps': str(10**12)})",
        "parse_flags({'batch_size': str(10**9)})",
        "parse_set(['accumulate=' + str(10**9)])",
        "parse_set(['keep=' + '9' * 4000])",
        "UNet.from_config({'in_channels': 3, 'widths': [10**9, 10**9]})",
        "UNet.from_config({'in_channels': 10**9})",
    ],
)
def test_enormous_numbers_are_refused_at_once(code):
    """Under a second, and little memory."""
    kind, seconds, megabytes = cost(code)
    assert kind in ("UsageError", "ValueError")
    assert seconds < 1
    assert megabytes < 50


@pytest.mark.parametrize(
    ("setting", "name"),
    [
        *(
            ("lr=nan", "lr"),
            ("lr=1e999", "lr"),
            ("lr=fast", "lr"),
            ("keep=1.5", "keep"),
            ("flip=1", "flip"),
            ("clip_grad_norm=-1", "clip_grad_norm"),
        ),
        *(
            ("clip_grad_norm=nan", "clip_grad_norm"),
            ("gamma=0", "gamma"),
            ("warmup=-1", "warmup"),
            ("accumulate=0", "accumulate"),
        ),
        *(
            ("times=normal", "times"),
            ("precision=fp8", "precision"),
            ("weighting=snr2", "weighting"),
            ("lr_schedule=step", "lr_sch"),
        ),
        *(
            ("class_dropout=2", "class_dropout"),
            ("save_minutes=inf", "save_minutes"),
            ("keep_every=0", "keep_every"),
            ("zz=1", "'zz'"),
        ),
        *(("lr={{{{", "lr"), ("process_timeout=0", "process_timeout"), ("ema=1", "ema"), ("decay_steps=0", "decay_steps")),
    ],
)
def test_settings_are_refused_by_name(setting, name):
    """The options of the command; the trainer's tests check config.json."""
    from diffkit_cli.errors import UsageError
    from diffkit_cli.training.parse import parse_set

    with pytest.raises(UsageError) as caught:
        parse_set([setting])
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


TINY = ["--preset", "small", "--batch-size", "8", "--set", "log_every=1", "--steps"]


def test_an_image_whose_name_is_not_utf8_trains(tmp_path):
    """One image, fewer than a batch; and the log survives the name of its folder."""
    folder = os.fsencode(tmp_path) + b"/caf\xe9/\xff"
    os.makedirs(folder)  # noqa: PTH103 (a path of bytes)
    Image.new("RGB", (9, 9), "red").save(tmp_path / "a.png")
    os.rename(tmp_path / "a.png", folder + b"/na\xefve.PNG")  # noqa: PTH104
    data, run = os.fsdecode(folder.rpartition(b"/")[0]), tmp_path / "run"
    code, said = diffkit("train", data, "--size", 8, "--out", run, *TINY, 3, "--dry-run")
    assert code == 0, said
    code, said = diffkit("train", data, "--size", 8, "--out", run, *TINY, 3)
    assert code == 0, said
    assert [json.loads(line)["step"] for line in (run / "log.jsonl").read_text("utf-8").splitlines()] == [1, 2, 3]
    assert json.loads((run / "config.json").read_text("utf-8"))["data"]["classes"] == ["\\xff"]
    code, said = diffkit("train", "--resume", "--out", run, "--steps", 4)
    assert code == 0, said
    assert load(run).step == 4


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    run = tmp_path_factory.mktemp("digits") / "run"
    saving, learning = ("keep_every=2", "keep=1", "save_every=1"), ("times=stratified", "loss=huber", "weighting=min_snr")
    code, said = diffkit("train", "--out", run, *TINY, 5, "--prediction", "v", *keys("class_dropout=0.1", *saving, *learning))
    assert code == 0, said
    return run


def test_settings_reach_the_training(digits):
    config = json.loads((digits / "config.json").read_text())
    assert config["network"]["num_classes"] == 10
    assert config["data"]["classes"] == list("0123456789")
    assert sorted(os.listdir(digits / "checkpoints")) == ["2", "4", "5"]
    entry = json.loads((digits / "log.jsonl").read_text().splitlines()[-1])
    times, losses = {"images_per_second", "seconds"}, {"loss", "loss_by_t", "loss_held_out", "loss_trained"}
    assert set(entry) == {"step", "gradient_norm", "lr"} | losses | times
    assert all(value > 0 for value in entry["loss_by_t"]), "two of eight samples in every quarter"
    code, said = diffkit("sample", digits, "-n", 1, "--steps", 1, "--out", digits.parent / "one.png")
    assert code == 0, said


@pytest.mark.parametrize("name", ["ema.safetensors", "model.safetensors", "optimizer.safetensors", "state.json", "config.json"])
def test_a_flipped_bit_in_the_only_checkpoint_is_named(digits, tmp_path, name):
    """Exit code 4, for sampling and for resuming."""
    run = tmp_path / "run"
    shutil.copytree(digits, run)
    for step in ("2", "4"):
        shutil.rmtree(run / "checkpoints" / step)
    path = run / "checkpoints" / "5" / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    for command in (["sample", run, "-n", 1, "--out", tmp_path / "one.png"], ["train", "--resume", "--out", run]):
        if command[0] == "train" and name != "ema.safetensors":
            continue  # a start of a process for each would say no more
        code, said = diffkit(*command)
        assert code == 4
        assert said.splitlines()[-1] == f"diffkit: sha256 mismatch {path}"


@pytest.mark.parametrize(
    ("network", "message"),
    [
        ({"in_channels": 10**9}, "config.json: in_channels: expected 1 channels, as of image, found 1000000000"),
        ({"in_channels": 1, "widths": [10**9, 10**9]}, "config.json: widths[0] must be an integer from 1"),
        ({"in_channels": 1, "widths": [8, 16]}, "expected "),
        ("nonsense", "config.json: network: expected object, got str"),
    ],
)
def test_a_shared_run_with_another_network_is_refused(digits, tmp_path, network, message):
    """A run of untrusted origin: exit code 4, before memory is allocated."""
    run = tmp_path / "run"
    shutil.copytree(digits, run)
    folder = run / "checkpoints" / "5"
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"network": network}))
    signed(folder)
    code, said = diffkit("sample", run, "-n", 1, "--steps", 1, "--out", tmp_path / "one.png")
    assert (code, said.count("\n")) == (4, 1), said
    assert message in said
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < 2 * 2**20, "kilobytes"


class Payload:
    """Whoever unpickles it leaves a trace."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("name", ["ema.safetensors", "config.json"])
def test_a_pickle_in_a_shared_run_is_never_executed(digits, tmp_path, name):
    """A run of untrusted origin whose manifest has the pickle's sha256."""
    run, trace = tmp_path / "run", tmp_path / "trace"
    shutil.copytree(digits, run)
    for step in ("2", "4"):
        shutil.rmtree(run / "checkpoints" / step)
    (run / "checkpoints" / "5" / name).write_bytes(pickle.dumps(Payload(trace)))
    signed(run / "checkpoints" / "5")
    code, said = diffkit("sample", run, "-n", 1, "--steps", 1, "--out", tmp_path / "one.png")
    assert (code, said.count("\n")) == (4, 1), said
    assert name in said
    assert not trace.exists()


def signed(folder):
    names = [path.name for path in folder.iterdir() if path.name != "manifest.json"]
    (folder / "manifest.json").write_text(json.dumps({"sha256": {name: sha256(folder / name) for name in names}}))
