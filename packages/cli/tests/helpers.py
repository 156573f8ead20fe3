"""Shared by the tests of the commands: run a command, and read what it wrote."""

import hashlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from diffkit_schedules import offset_cosine, to_config
from diffkit_trainer import Trainer, checkpoints, open_images, save, write_config
from PIL import Image, ImageSequence

from testing.fixtures import PythonProcess

COMMAND = [sys.executable, "-m", "diffkit_cli"]
DIFFKIT = Path(sys.executable).with_name("diffkit")
"""The command as it is installed."""


def keys(*assignments):
    """The options that set these keys."""
    return [word for assignment in assignments for word in ("--set", assignment)]


TINY = [
    *("--no-classes", "--steps", "6", "--batch-size", "8", "--preset", "small"),
    *keys("log_every=2", "save_every=4", "sample_every=3", "held_out=0"),
]


def python(*words, timeout=240, **options):
    """The CompletedProcess of a Python script."""
    with PythonProcess(*words, **options) as running:
        output = running.communicate(timeout)
        return subprocess.CompletedProcess(words, running.wait(), *output)


def start(*arguments, **options):
    """A command that runs while the test does."""
    return PythonProcess("-m", "diffkit_cli", *arguments, **options)


def finished(process):
    """The exit code and stderr; without a traceback."""
    _, said = process.communicate()
    assert "Traceback" not in said, said
    return process.returncode, said


def process(*arguments, **options):
    """A command from its start to its end."""
    return python("-m", "diffkit_cli", *arguments, **options)


def on_a_terminal(*arguments, **environment):
    """What a command writes to a terminal, and its exit code."""
    import pty  # not on Windows

    ours, theirs = pty.openpty()
    variables = {**os.environ, "TERM": "xterm-256color", **environment}
    with start(*arguments, terminal=theirs, env=variables) as running:
        os.close(theirs)
        said = b""
        while True:
            try:
                part = os.read(ours, 4096)
            except OSError:  # how Linux says that the other end is closed
                part = b""
            if not part:
                break
            said += part
    os.close(ours)
    return said.decode(), running.returncode


def until(happened, process):
    """Wait for the progress of a command that is running."""
    while not happened():
        assert process.poll() is None, "it ended before"
        time.sleep(0.01)


def logged(run):
    """How many lines the log has."""
    log = run / "log.jsonl"
    return log.read_text().count("\n") if log.exists() else 0


def wait_for(run, step, process):
    """Until so many steps are logged."""
    until(lambda: logged(run) >= step, process)


def said_until(process, text):
    """Wait for a line of stderr that holds the text."""
    for line in process.stderr:
        if text in line:
            return
    raise AssertionError(f"it ended without {text!r}")


def log_of(run):
    """The log without times."""
    entries = [json.loads(line) for line in (run / "log.jsonl").read_text("utf-8").splitlines()]
    return [{key: value for key, value in entry.items() if key not in ("seconds", "images_per_second")} for entry in entries]


def what_it_is(run):
    """The step, the sums of what was trained, and the log."""
    ((step, folder), *_) = checkpoints(run)
    sums = [hashlib.sha256((folder / f"{file}.safetensors").read_bytes()).hexdigest() for file in ("model", "ema", "optimizer")]
    return step, sums, log_of(run)


def one_line(text):
    assert text.startswith("diffkit: ")
    assert text.count("\n") == 1
    assert "Traceback" not in text
    return text


def refusal(done, code):
    """The one line of a process that ended with the code and answered nothing."""
    assert (done.returncode, done.stdout) == (code, "")
    return one_line(done.stderr)


def size_of(path):
    with Image.open(path) as image:
        return image.size


def pixels(folder):
    """The bytes of each PNG of a folder, or of the one file."""
    images = []
    for path in sorted(folder.iterdir()) if folder.is_dir() else [folder]:
        with Image.open(path) as image:
            images.append(list(image.tobytes()))
    return images


def near(one, other, levels=1):
    return all(abs(a - b) <= levels for x, y in zip(one, other, strict=True) for a, b in zip(x, y, strict=True))


def frames(path):
    """The bytes of each frame of an animation, as grey."""
    with Image.open(path) as animation:
        return [list(frame.convert("L").tobytes()) for frame in ImageSequence.Iterator(animation)]


def images(folder, sizes):
    folder.mkdir(parents=True)
    for i, size in enumerate(sizes):
        Image.new("RGB", size, (40 * i, 10, 200)).save(folder / f"{i}.png")


def untrained(run, network, **other):
    """A run of a network as it is."""
    dropout = None if network.num_classes is None else 0.1
    options = {"class_dropout": dropout, "condition": network.condition}
    trainer = Trainer(network, open_images("digits"), offset_cosine(), batch_size=8, **options)
    config = {
        "data": {"source": "digits", "images": 1797, "fingerprint": "", "classes": [f"digit{i}" for i in range(10)]},
        "image": {"channels": 1, "height": 8, "width": 8},
        "normalisation": {"mean": list(trainer.normalisation.mean), "std": list(trainer.normalisation.std)},
        "network": network.to_config(),
        "schedule": to_config(offset_cosine()),
        "prediction": "eps",
        "condition": "variance",
        "training": {"preset": "small", "batch_size": 8, "lr": 1e-3, "ema": 0.999, "seed": 0, "steps": 1},
        **other,
    }
    write_config(run, config)
    save(run, trainer, config)
    return run
