"""Tensors from safetensors files: what is read, and the metadata that allows infinities."""

import pytest
import torch
from diffkit_trainer import RunError
from diffkit_trainer.files.tensors import infinity_metadata, read_header, read_tensors
from safetensors.torch import save_file

MASK = torch.tensor([0.0, float("-inf")])


def test_the_header_has_shapes_and_types_without_data(tmp_path):
    save_file({"a": torch.ones(2, 3), "b": torch.zeros(4, dtype=torch.int64)}, tmp_path / "a.safetensors", {"key": "value"})
    tensors, metadata = read_header(tmp_path / "a.safetensors")
    assert {name: (value.dtype, tuple(value.shape), value.device.type) for name, value in tensors.items()} == {
        "a": (torch.float32, (2, 3), "meta"),
        "b": (torch.int64, (4,), "meta"),
    }
    assert metadata == {"key": "value"}


def test_infinities_need_the_metadata(tmp_path):
    save_file({"mask": MASK}, tmp_path / "a.safetensors")
    with pytest.raises(RunError, match=r"a\.safetensors: 'mask' is not finite"):
        read_tensors(tmp_path / "a.safetensors")
    save_file({"mask": MASK}, tmp_path / "a.safetensors", infinity_metadata(["mask"]))
    assert torch.equal(read_tensors(tmp_path / "a.safetensors")["mask"], MASK)
    save_file({"mask": MASK, "other": MASK.clone()}, tmp_path / "a.safetensors", infinity_metadata(["mask"]))
    with pytest.raises(RunError, match="'other' is not finite"):
        read_tensors(tmp_path / "a.safetensors")
