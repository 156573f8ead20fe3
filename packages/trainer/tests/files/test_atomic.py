"""Atomic writes: complete or absent, synced before they are renamed."""

import os
from pathlib import Path

import pytest
from diffkit_trainer import RunError
from diffkit_trainer.files.atomic import (
    atomic_write,
    atomic_write_text,
    commit_folder,
    remove_folder,
    require_creatable,
    require_free_space,
    sha256,
)


def test_a_file_is_replaced_at_the_end_of_the_block(tmp_path):
    path = tmp_path / "new" / "a.txt"
    atomic_write_text(path, "old")
    with atomic_write(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert os.listdir(path.parent) == ["a.txt"]


def test_an_error_in_the_block_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.txt"
    atomic_write_text(path, "old")

    def fill_the_disk(temporary):
        temporary.write_text("half")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match=r"a\.txt") as caught, atomic_write(path) as temporary:
        fill_the_disk(temporary)
    assert caught.value.filename == str(path)
    assert (path.read_text(), os.listdir(tmp_path)) == ("old", ["a.txt"])


def test_a_committed_folder_replaces_the_former_one(tmp_path, monkeypatch):
    for name in ("final", "temporary"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a").write_text(name)
    (tmp_path / "temporary" / "a").chmod(0o600)
    (tmp_path / "plain").touch()
    synced, sync = [], os.fsync
    monkeypatch.setattr(os, "fsync", lambda file: (synced.append(str(Path(f"/proc/self/fd/{file}").readlink())), sync(file))[1])
    commit_folder(tmp_path / "temporary", tmp_path / "final")
    assert (tmp_path / "final" / "a").read_text() == "temporary"
    assert (tmp_path / "final" / "a").stat().st_mode == (tmp_path / "plain").stat().st_mode
    assert synced == [str(tmp_path / "temporary" / "a"), str(tmp_path / "temporary"), str(tmp_path)]
    assert not (tmp_path / "temporary").exists()


def test_a_removed_folder_leaves_nothing(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    remove_folder(tmp_path / "a")
    assert os.listdir(tmp_path) == []


def test_too_little_space_is_refused(tmp_path):
    require_free_space(tmp_path, 1)
    with pytest.raises(RunError, match=rf"^{tmp_path}: {2**80} bytes are needed, [0-9]+ are free on this disk; make room$"):
        require_free_space(tmp_path, 2**80)


def test_sha256_of_a_file(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert sha256(tmp_path / "a") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2, B.1


def test_a_path_is_tried_without_leaving_files(tmp_path):
    (tmp_path / "file").touch()
    for path in ("a.png", "new/er/a.png"):
        require_creatable(tmp_path / path)
    with pytest.raises(NotADirectoryError) as caught:
        require_creatable(tmp_path / "file" / "new" / "a.png")
    assert caught.value.filename == str(tmp_path / "file")
    assert os.listdir(tmp_path) == ["file"]
