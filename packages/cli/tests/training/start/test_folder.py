"""The folder of a new run: free, or that of a run that failed before its first checkpoint."""

import json
import os
import shutil

import pytest
from diffkit_trainer import read_log

from ...helpers import TINY, keys, process, refusal

DIVERGING = ["--lr", "1e30", *keys("warmup=0", "log_every=1", "sample_every=1", "clip_grad_norm=none")]


def test_a_run_that_failed_before_its_first_checkpoint_is_started_anew_with_other_options(tmp_path):
    run = tmp_path / "run"
    failed = process("train", "--out", run, *TINY, *DIVERGING)
    assert (failed.returncode, read_log(run) != []) == (5, True)
    assert "warning: no preview at step 1: the model's x0 is not finite" in failed.stderr
    (run / "samples").mkdir()
    (run / "samples" / "20240101.png").write_text("mine")
    (run / "samples" / "00000003.png").touch()
    done = process("train", "--out", run, "--lr", 1e-4, *TINY, "--steps", 2)
    assert done.returncode == 0, done.stderr
    assert f"the run in {run} failed before its first checkpoint: starting anew\n" in done.stderr
    assert json.loads((run / "config.json").read_text())["training"]["lr"] == 1e-4
    assert [entry["step"] for entry in read_log(run)] == [2]
    assert {path.name for path in (run / "samples").iterdir()} == {"20240101.png", "00000002.png"}
    assert "already holds a run" in process("train", "--out", run, *TINY).stderr


def test_a_logger_that_is_not_installed_leaves_no_folder(tmp_path):
    (tmp_path / "tensorboard.py").write_text("raise ImportError")
    here = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    done = process("train", "--out", tmp_path / "runs" / "run", *TINY, *keys("log_to=tensorboard"), env=here)
    assert (done.returncode, done.stderr.splitlines()[-1][:37]) == (2, "diffkit: tensorboard is not installed")
    assert list((tmp_path / "runs").iterdir()) == []


@pytest.mark.parametrize("lost", ["checkpoints", "weights"])
def test_a_run_that_saved_once_is_not_started_anew(trained, tmp_path, lost):
    """Its checkpoints were removed or damaged since: its log and its previews stay."""
    run = shutil.copytree(trained, tmp_path / "run")
    if lost == "checkpoints":
        shutil.rmtree(run / "checkpoints")
    else:
        for path in run.glob("checkpoints/*/*.safetensors"):
            path.unlink()
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*") if path.name != "lock"}
    assert "already holds a run" in refusal(process("train", "--out", run, *TINY, "--steps", 100, "--lr", 0.5), 2)
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*") if path.name != "lock"} == before


def test_a_finished_run_asks_for_more_steps_and_stays_as_it_is(trained, tmp_path):
    run = shutil.copytree(trained, tmp_path / "run")
    before = (run / "log.jsonl").read_bytes()
    done = process("train", "--resume", "--out", run)
    assert (done.returncode, done.stderr.splitlines()[-1]) == (0, f"{run} is at step 6 of 6 already: give more, --steps N")
    assert (run / "log.jsonl").read_bytes() == before


def test_a_run_is_not_taken_for_data(trained):
    line = refusal(process("train", "--resume", trained), 2)
    assert f"{trained} is a run, not data: did you mean --out {trained}?" in line
    line = refusal(process("train", trained), 2)
    assert f"{trained} is a run, not data: resume it: diffkit train --resume --out {trained}, or fine-tune it: " in line
