"""Regular files are opened; links, folders, FIFOs and devices are refused without waiting."""

import os

import pytest
from diffkit_trainer import RunError
from diffkit_trainer.errors import RefusedError
from diffkit_trainer.files.regular_file import open_regular, read_file


def test_a_file_is_read(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    (tmp_path / "link").symlink_to(tmp_path / "a")
    assert read_file(tmp_path / "a", 3) == b"abc"
    assert read_file(tmp_path / "link", 3, links=True) == b"abc"
    with pytest.raises(RunError, match="a: expected at most 2 bytes, found 3"):
        read_file(tmp_path / "a", 2)
    with pytest.raises(RunError, match="link: expected a regular file, found a link"):
        read_file(tmp_path / "link", 3)


def test_anything_else_is_refused(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    for path, kind in ((tmp_path, "a folder"), (tmp_path / "fifo", "a FIFO"), ("/dev/zero", "a device")):
        with pytest.raises(RefusedError, match=f"^{kind}$"):
            open_regular(path)
    with pytest.raises(FileNotFoundError):
        open_regular(tmp_path / "missing")
