"""Which files diffkit exported itself, told by what is written in them. No torch is imported."""

import mmap
from pathlib import Path

from diffkit_trainer.errors import RunError
from diffkit_trainer.export.description import KEY
from diffkit_trainer.files.header import read_header
from diffkit_trainer.files.regular_file import open_run_file
from diffkit_trainer.files.strict_json import read_json

__all__ = ["MARK", "is_own_export"]

MARK = "_diffkit_format"
"""The key in model_index.json of a pipeline that diffkit wrote; diffusers ignores keys with an underscore."""

ONNX_ENTRY = b"\n" + bytes([len(KEY)]) + KEY.encode() + b"\x12"
"""How the key of the config begins an entry of the metadata of an ONNX file: field 1, its length, the key, field 2."""

CONFIG = {"format", "network", "schedule", "normalisation"}


def is_own_export(path: Path) -> bool:
    """Whether diffkit wrote the file: a .safetensors or .onnx with a config, a config.json, or the index of a pipeline.

    False for a file that is damaged or not there.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "net.safetensors"
    ...     _ = path.write_text("not a network")
    ...     is_own_export(path)
    False
    """
    try:
        if path.suffix.lower() == ".safetensors":
            return KEY in read_header(path).metadata
        if path.suffix.lower() == ".json":
            document = read_json(path)
            return MARK in document or document.keys() >= CONFIG
        with open_run_file(path) as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return content.find(ONNX_ENTRY) >= 0
    except (RunError, ValueError):  # of mmap, for an empty file
        return False
