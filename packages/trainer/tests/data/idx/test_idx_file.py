"""Gzipped IDX files that are damaged or too long."""

import gzip
import struct

import pytest
from diffkit_trainer import DataError
from diffkit_trainer.data.idx.idx_file import read_idx


def idx(*shape, data=b"", kind=0x08):
    return bytes((0, 0, kind, len(shape))) + struct.pack(f">{len(shape)}I", *shape) + data


@pytest.mark.parametrize("damage", [lambda z: z[:-9], lambda z: b"x" + z[1:], lambda z: z[:12] + b"\xff" * 6 + z[18:]])
def test_damaged_gzip_is_named(tmp_path, damage):
    path = tmp_path / "a-images-idx3-ubyte.gz"
    path.write_bytes(damage(gzip.compress(idx(2, 3, 4, data=bytes(range(24))))))
    with pytest.raises(DataError, match=r"a-images-idx3-ubyte\.gz: damaged gzip file"):
        read_idx(path, 3)


def test_a_gzip_bomb_is_unpacked_to_the_announced_size_only(tmp_path):
    path = tmp_path / "images-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(idx(1, 1, 1, data=bytes(50_000_000)), 1))
    with pytest.raises(DataError, match="found more than 1 bytes, expected 1 bytes"):
        read_idx(path, 3)
