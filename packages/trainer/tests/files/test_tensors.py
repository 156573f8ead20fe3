"""Tensors from safetensors files: what is read, and the metadata that allows infinities."""

import pytest
import torch
from diffkit_trainer import RunError
from diffkit_trainer.checkpoint_limits import DTYPES
from diffkit_trainer.files.header import read_header
from diffkit_trainer.files.tensors import infinity_metadata, meta_tensors, read_tensors
from safetensors.torch import save_file

MASK = torch.tensor([0.0, float("-inf")])


def test_the_header_has_shapes_and_types_without_data(tmp_path):
    save_file({"a": torch.ones(2, 3), "b": torch.zeros(4, dtype=torch.int64)}, tmp_path / "a.safetensors", {"key": "value"})
    header = read_header(tmp_path / "a.safetensors")
    assert {name: (value.dtype, tuple(value.shape), value.device.type) for name, value in meta_tensors(header).items()} == {
        "a": (torch.float32, (2, 3), "meta"),
        "b": (torch.int64, (4,), "meta"),
    }
    assert header.metadata == {"key": "value"}


def test_each_type_has_its_size_in_torch():
    for name, nbytes in DTYPES.values():
        assert getattr(torch, name).itemsize == nbytes


def test_infinities_need_the_metadata(tmp_path):
    save_file({"mask": MASK}, tmp_path / "a.safetensors")
    with pytest.raises(RunError, match=r"a\.safetensors: 'mask' is not finite"):
        read_tensors(tmp_path / "a.safetensors")
    save_file({"mask": MASK}, tmp_path / "a.safetensors", infinity_metadata(["mask"]))
    assert torch.equal(read_tensors(tmp_path / "a.safetensors")["mask"], MASK)
    save_file({"mask": MASK, "other": MASK.clone()}, tmp_path / "a.safetensors", infinity_metadata(["mask"]))
    with pytest.raises(RunError, match="'other' is not finite"):
        read_tensors(tmp_path / "a.safetensors")
