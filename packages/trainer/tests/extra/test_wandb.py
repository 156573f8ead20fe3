"""Weights & Biases offline: its files have the entries of the log, also after a resume."""

import json
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
import wandb
from diffkit_trainer import open_loggers
from PIL import Image
from wandb.proto import wandb_internal_pb2

BLOCK, HEAD = 2**15, 7
LAST_PARTS = 1, 4
"""The kinds of a record that is complete, and of the last part of one."""


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    wandb.teardown()  # it reads its variables once
    yield
    wandb.teardown()


def records(file):
    """The records of a .wandb file, which is a log of LevelDB below a head."""
    data, at, found = file.read_bytes(), HEAD, b""
    while at + HEAD <= len(data):
        if BLOCK - at % BLOCK < HEAD:  # no head fits into the rest of a block
            at += BLOCK - at % BLOCK
            continue
        _, size, kind = struct.unpack("<IHB", data[at : at + HEAD])
        found += data[at + HEAD : at + HEAD + size]
        at += HEAD + size
        if kind in LAST_PARTS:
            yield wandb_internal_pb2.Record.FromString(found)
            found = b""


def of_run(folder):
    """The ids, names and projects of the runs, and what was logged, without wandb's own values."""
    wandb.teardown()  # its process writes after a run has ended
    runs, entries = set(), []
    for file in sorted(folder.rglob("*.wandb")):
        for record in records(file):
            if record.HasField("run"):
                runs.add((record.run.run_id, record.run.display_name, record.run.project))
            if record.HasField("history"):
                items = {".".join(item.nested_key) or item.key: json.loads(item.value_json) for item in record.history.item}
                entries.append({name: value for name, value in items.items() if not name.startswith("_")})
    return runs, entries


def test_numbers_and_images_are_in_its_files_and_a_resumed_run_is_the_same_one(tmp_path):
    pixels = torch.arange(128, dtype=torch.uint8).reshape(2, 1, 8, 8)
    with open_loggers(["wandb"], tmp_path / "flowers", 0) as (logger,):
        for step in (1, 2):
            logger.log({"step": step, "loss": step / 4, "loss_by_t": [0.5, None, 2.0 * step], "last": True})
        logger.images(pixels, 2)
        logger.images(torch.zeros(1, 3, 8, 8, dtype=torch.uint8), 2)
    with open_loggers(["wandb"], tmp_path / "flowers", 2) as (logger,):
        logger.log({"step": 3, "loss": 0.125})
    runs, entries = of_run(tmp_path)
    identity = (tmp_path / "flowers" / "wandb" / "id").read_text()
    assert runs == {(identity, "flowers", "diffkit")}
    assert entries[0] == {"step": 1, "loss": 0.25, "loss_by_t/0": 0.5, "loss_by_t/2": 2.0, "last": True}
    assert entries[-1] == {"step": 3, "loss": 0.125}
    (shown, colour) = (entry for entry in entries if "samples.filenames" in entry)
    assert (shown["step"], len(colour["samples.filenames"])) == (2, 1)
    files = [next(tmp_path.rglob(Path(name).name)) for name in shown["samples.filenames"]]
    assert np.array_equal(np.stack([np.asarray(Image.open(file)) for file in files]), pixels[:, 0])


def test_a_new_run_in_the_place_of_another_is_another(tmp_path):
    for _ in range(2):
        with open_loggers(["wandb"], tmp_path / "run", 0) as (logger,):
            logger.log({"step": 1, "loss": 0.5})
    assert len(of_run(tmp_path)[0]) == 2


def test_without_an_account_it_is_one_line_with_the_way_out(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "online")
    monkeypatch.setenv("WANDB_API_KEY", "")
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(ValueError, match=r"log in by `wandb login`, or set WANDB_MODE=offline$") as found:
        open_loggers(["wandb"], tmp_path / "run", 0).__enter__()
    assert "\n" not in str(found.value)
