"""Exports of a network as one file: round trips, half precision, and a write that is synced."""

import json
import os
from pathlib import Path

import pytest
import torch
from diffkit_trainer import ExportedNetwork, RunError, describe_export, read_export, weights_hash, write_export
from safetensors import safe_open

WEIGHTS = {"a": torch.tensor([1.0, 0.1]), "b": torch.tensor([3], dtype=torch.int64)}
NETWORK = ExportedNetwork(WEIGHTS, {"width": 2}, step=7, raw=True)


def expected(config):
    return {"a": torch.empty(config["width"]), "b": torch.empty(1, dtype=torch.int64)}


def test_an_export_round_trips(tmp_path):
    write_export(tmp_path / "new" / "net.safetensors", NETWORK)
    weights, *others = read_export(tmp_path / "new" / "net.safetensors", expected)
    assert all(torch.equal(weights[name], value) for name, value in WEIGHTS.items())
    assert others == [{"width": 2}, 7, True]
    with safe_open(tmp_path / "new" / "net.safetensors", "pt") as file:
        assert json.loads(file.metadata()["diffkit"]) == {
            "format": 1,
            "config": {"width": 2},
            "step": 7,
            "raw": True,
            "half": False,
        }


def test_half_precision_stores_float16_and_gives_float32(tmp_path):
    write_export(tmp_path / "net.safetensors", NETWORK, half=True)
    with safe_open(tmp_path / "net.safetensors", "pt") as file:
        assert file.get_tensor("a").dtype == torch.float16
    weights = read_export(tmp_path / "net.safetensors", expected).weights
    assert torch.equal(weights["a"], WEIGHTS["a"].half().float())
    assert torch.equal(weights["b"], WEIGHTS["b"])


@pytest.mark.parametrize("half", [False, True])
def test_a_description_has_the_hash_of_the_weights_that_are_read(tmp_path, half):
    path, generator = tmp_path / "net.safetensors", torch.Generator().manual_seed(0)
    numbers = torch.randn(2**10, 600, generator=generator)  # more than is read at a time
    odd = {"tiny": torch.tensor([1e-7, 0.0, -0.0]), "none": torch.empty(0, 3), "flag": torch.tensor(True)}
    write_export(path, ExportedNetwork({"a": numbers, **odd}, {"width": 2}, 7, raw=True), half=half)
    found = describe_export(path)
    tensors = {"a": torch.empty_like(numbers), **odd}
    assert found.weights == weights_hash(read_export(path, lambda _: tensors).weights)
    assert (found.config, found.step, found.raw) == ({"width": 2}, 7, True)
    assert found.shapes == {"a": (2**10, 600), "tiny": (3,), "none": (0, 3), "flag": ()}


def test_a_weight_beyond_float16_is_refused(tmp_path):
    with pytest.raises(RunError, match="a does not fit float16, whose largest number is 65504"):
        write_export(tmp_path / "net.safetensors", ExportedNetwork({"a": torch.tensor([65536.0])}, {}, 0, raw=True), half=True)
    assert list(tmp_path.iterdir()) == []


def test_other_configs_and_tensors_are_refused(tmp_path):
    write_export(tmp_path / "net.safetensors", NETWORK)
    with pytest.raises(RunError, match=r"net\.safetensors: a: expected float32 of shape \(3,\), found float32 of shape \(2,\)"):
        read_export(tmp_path / "net.safetensors", lambda _: expected({"width": 3}))

    def refuse(_):
        raise ValueError("width must be 8")

    with pytest.raises(RunError, match=r"net\.safetensors: width must be 8"):
        read_export(tmp_path / "net.safetensors", refuse)


def test_an_export_is_synced_before_it_is_renamed(tmp_path, monkeypatch):
    synced, sync = [], os.fsync
    monkeypatch.setattr(os, "fsync", lambda file: (synced.append(str(Path(f"/proc/self/fd/{file}").readlink())), sync(file))[1])
    write_export(tmp_path / "net.safetensors", NETWORK)
    assert synced == [str(tmp_path / f".net.safetensors.{os.getpid()}.tmp"), str(tmp_path)]
