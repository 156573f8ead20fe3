"""A run trained in Python is that of the command."""

import signal

import numpy as np
import pytest
import torch
from diffkit_cli import open_run, train
from diffkit_trainer import Images, load, read_config

from ..helpers import keys, one_line, process, what_it_is

FEW = {"steps": 3, "batch_size": 8, "save_every": 2, "held_out": 0}


@pytest.fixture(scope="module")
def tones():
    random = np.random.default_rng(0)
    pitch = torch.from_numpy(random.uniform(1, 4, 40).astype("f4"))
    waves = torch.sin(2 * torch.pi * pitch[:, None] * torch.linspace(0, 1, 16))[:, None]
    return Images(waves, conditions={"pitch": pitch[:, None]}, name="tones")


def test_a_run_is_that_of_the_command_and_is_opened(tmp_path):
    run = train("digits", tmp_path / "python", size=np.int64(8), ema=(0.9, 0.99), **FEW)
    words = ["--steps", 3, "--batch-size", 8, "--ema", "0.9,0.99", *keys("save_every=2", "held_out=0")]
    assert process("train", "digits", "--size", 8, "--out", tmp_path / "command", *words).returncode == 0
    assert what_it_is(tmp_path / "python") == what_it_is(tmp_path / "command")
    assert (run.step, run.name) == (3, f"{tmp_path / 'python'}@3")


def test_samples_in_memory_are_trained_on_resumed_and_sampled_by_the_command(tones, tmp_path):
    for name, steps in (("straight", [3]), ("parts", [2, 3])):
        run = train(tones, tmp_path / name, **FEW | {"steps": steps[0]}, decay_steps=3, warmup=0)
        for more in steps[1:]:
            run = train(tones, tmp_path / name, resume=True, steps=more)
    assert run.sample(2, steps=2, conditions={"pitch": 2.5}).pixels.shape == (2, 1, 16)
    straight, parts = (load(tmp_path / name, "model").weights for name in ("straight", "parts"))
    assert all(torch.equal(value, parts[name]) for name, value in straight.items())
    words = ["sample", tmp_path / "parts", "-n", 1, "--steps", 2, "--condition", "pitch=2.5", "--out", tmp_path / "a.png"]
    assert process(*words).returncode == 0
    assert read_config(tmp_path / "parts")["data"]["source"] == ""
    message = "parts does not name its training data: give DATA"
    assert message in one_line(process("train", "--resume", "--out", tmp_path / "parts", "--steps", 3).stderr)


def test_a_trained_run_is_fine_tuned(trained, tmp_path):
    run = train("digits", tmp_path / "run", start_from=trained, freeze="down.*", **FEW)
    before, now = load(trained).weights, dict(run.network.state_dict())
    frozen = [name for name in before if name.startswith("down.") and name.endswith("weight")]
    assert frozen
    assert all(torch.equal(now[name], before[name]) for name in frozen)


@pytest.mark.parametrize(
    ("error", "message", "options"),
    [
        (TypeError, "train() has no option 'epochs': ", {"epochs": 3}),
        (TypeError, "train() has no option 'batchsize': use batch_size", {"batchsize": 3}),
        (ValueError, "train(): steps must be an integer from 1 to 1000000000, got 0", {"steps": 0}),
        (ValueError, "train(): time is for a new run, in place of steps", {"steps": 3, "time": "1m"}),
        (ValueError, "train() needs out, the run folder", {"resume": True}),
        (ValueError, "already holds a run: resume it with --resume, or give another --out", {"out": "trained"}),
    ],
)
def test_errors_are_one_line(error, message, options, trained):
    with pytest.raises(error) as found:
        train(**options | ({"out": trained} if "out" in options else {}))
    assert message in str(found.value)
    assert "\n" not in str(found.value)


def test_ctrl_c_saves_the_run(tmp_path):
    handler = signal.getsignal(signal.SIGINT)
    before = torch.optim.AdamW.step

    def interrupted(self, *arguments, **options):
        signal.raise_signal(signal.SIGINT)
        return before(self, *arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.optim.AdamW, "step", interrupted)
        with pytest.raises(KeyboardInterrupt):
            train("digits", tmp_path / "run", **FEW)
    assert open_run(tmp_path / "run").step == 1
    assert signal.getsignal(signal.SIGINT) is handler
    assert train("digits", tmp_path / "next", **FEW).step == FEW["steps"], "the signal was for the other run"
