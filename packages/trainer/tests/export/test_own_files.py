"""Which files diffkit exported itself."""

import json

import pytest
import torch
from diffkit_trainer import PIPELINE_FILES, ExportedNetwork, is_own_export, write_config, write_export
from safetensors.torch import save_file


def test_an_export_is_recognised_by_what_it_holds(tmp_path):
    config: dict[str, dict[str, str]] = {"network": {}, "schedule": {}, "normalisation": {}}
    write_export(tmp_path / "net.safetensors", ExportedNetwork({"a": torch.ones(1)}, config, 0, raw=False))
    write_config(tmp_path, config)
    assert is_own_export(tmp_path / "net.safetensors")
    assert is_own_export(tmp_path / "config.json")


@pytest.mark.parametrize(("key", "own"), [(b"diffkit", True), (b"diffkit2", False), (b"author", False)])
def test_an_onnx_file_is_recognised_by_the_key_of_its_metadata(tmp_path, key, own):
    """ModelProto: ir_version (field 1), metadata_props (field 14) with key (field 1) and value (field 2)."""
    entry = b"\x0a" + bytes([len(key)]) + key + b"\x12\x02{}"
    (tmp_path / "net.onnx").write_bytes(b"\x08\x0a" + b"\x72" + bytes([len(entry)]) + entry)
    assert is_own_export(tmp_path / "net.onnx") == own


def test_files_of_others_are_not(tmp_path):
    save_file({"a": torch.ones(1)}, tmp_path / "theirs.safetensors", {"format": "pt"})
    (tmp_path / "config.json").write_text(json.dumps({"architectures": ["theirs"], "format": "pt"}))
    (tmp_path / PIPELINE_FILES[0]).write_text(json.dumps({"_class_name": "DDIMPipeline", "_diffusers_version": "0.30.0"}))
    (tmp_path / "damaged.safetensors").write_text("no header")
    (tmp_path / "empty.onnx").touch()
    for name in (*(path.name for path in tmp_path.iterdir()), "nowhere.safetensors", "nowhere.onnx"):
        assert not is_own_export(tmp_path / name)
