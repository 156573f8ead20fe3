"""Images in zip and tar files: as in a folder, nothing is written, and what is hostile is refused."""

import io
import os
import stat
import struct
import tarfile
import zipfile
import zlib

import pytest
import torch
from diffkit_trainer import DataError, inspect_images, open_images, pack
from diffkit_trainer.data.archives import archive as module
from diffkit_trainer.data.sources import source_kind
from PIL import Image

KINDS = ["zip", "tar"]


def png(colour=(1, 2, 3), size=(6, 4)):
    stream = io.BytesIO()
    Image.new("RGB", size, colour).save(stream, "PNG")
    return stream.getvalue()


def write(path, files, kind=zipfile.ZIP_STORED):
    """An archive of these files, by name; a value that is no bytes is a TarInfo, or the mode of a zip's entry."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", kind) as archive:
            for name, content in files.items():
                info = zipfile.ZipInfo(name)
                info.compress_type, info.external_attr = kind, (0 if isinstance(content, bytes) else content << 16)
                archive.writestr(info, content if isinstance(content, bytes) else b"target")
        return path
    with tarfile.open(path, "w") as archive:
        for name, content in files.items():
            member = content if isinstance(content, tarfile.TarInfo) else tarfile.TarInfo(name)
            member.name, member.size = name, len(content) if isinstance(content, bytes) else 0
            archive.addfile(member, io.BytesIO(content) if isinstance(content, bytes) else None)
    return path


@pytest.fixture
def photos(tmp_path):
    """A folder of images, and a zip and a tar of it."""
    files = {f"{folder}/{i}.png": png((60 * i, 9, 9)) for i, folder in enumerate(("rose", "tulip", "rose"))}
    for name, content in files.items():
        (tmp_path / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "photos" / name).write_bytes(content)
    noise = {"photos/": b"", "photos/notes.txt": b"", "photos/.hidden.png": b""}
    inside = {**noise, **{f"photos/{name}": content for name, content in reversed(files.items())}}
    write(tmp_path / "photos.zip", inside, zipfile.ZIP_DEFLATED)
    del inside["photos/"]
    write(tmp_path / "photos.tar", inside)
    return tmp_path


@pytest.mark.parametrize("kind", KINDS)
def test_an_archive_has_the_images_classes_and_files_of_its_folder(photos, monkeypatch, kind):
    monkeypatch.setenv("DIFFKIT_CACHE", str(photos / "cache"))
    folder, found = open_images(photos / "photos"), open_images(photos / f"photos.{kind}")
    assert (found.fingerprint, found.files, found.classes) == (folder.fingerprint, folder.files, ("rose", "tulip"))
    assert found.warnings == ("left out: 1 TXT",)
    packed = pack(photos / f"photos.{kind}", 4)
    assert torch.equal(packed.pixels, open_images(photos / "photos", 4).pixels)
    assert [image.digest for image in inspect_images(photos / f"photos.{kind}").images] == [
        image.digest for image in inspect_images(photos / "photos").images
    ]
    assert not {path.name for path in photos.iterdir()} - {"photos", "photos.zip", "photos.tar", "cache"}


@pytest.mark.parametrize("kind", KINDS)
def test_a_pack_is_that_of_the_archive_as_it_is(photos, monkeypatch, kind):
    monkeypatch.setenv("DIFFKIT_CACHE", str(photos / "cache"))
    path = photos / f"photos.{kind}"
    assert pack(path, 4).pixels.max() == 120
    write(path, {"1.png": png((200, 0, 0))})
    assert (pack(path, 4).pixels.max(), len(pack(path, 4))) == (200, 1)


@pytest.mark.parametrize("kind", KINDS)
def test_of_splits_the_training_images_are_read(tmp_path, kind):
    path = write(tmp_path / f"a.{kind}", {"set/train/a/1.png": png((7, 7, 7)), "set/test/a/1.png": png()})
    found = open_images(path)
    assert (found.files, found.pixels.unique().tolist(), found.warnings) == (("a/1.png",), [7], ("left out: 1 in test/",))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["/etc/a.png", "../a.png", "b/../../a.png"])
def test_a_name_outside_the_archive_is_refused_and_written_nowhere(tmp_path, kind, name):
    path = write(tmp_path / f"a.{kind}", {"1.png": png(), name: png()})
    with pytest.raises(DataError, match=r"1 of 2 files cannot be read as images: .*a.png \(a name outside the archive\)"):
        open_images(path)
    assert open_images(path, skip_bad=True).files == ("1.png",)
    assert sorted(each.name for each in tmp_path.iterdir()) == [path.name]


def test_links_devices_and_pipes_are_never_followed(tmp_path):
    special = {
        "link.png": tarfile.SYMTYPE,
        "hard.png": tarfile.LNKTYPE,
        "pipe.png": tarfile.FIFOTYPE,
        "disk.png": tarfile.BLKTYPE,
    }
    entries = {"1.png": png()}
    for name, kind in special.items():
        entries[name] = tarfile.TarInfo(name)
        entries[name].type, entries[name].linkname = kind, "/etc/passwd"
    with pytest.raises(DataError) as error:
        open_images(write(tmp_path / "a.tar", entries))
    reasons = {path.name: reason for path, reason in error.value.bad}
    assert reasons == {"link.png": "a link", "hard.png": "a link", "pipe.png": "a device", "disk.png": "a device"}
    with pytest.raises(DataError, match=r"link.png \(a link\)"):
        open_images(write(tmp_path / "a.zip", {"1.png": png(), "link.png": stat.S_IFLNK | 0o777}))


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_unpacks_to_too_much_and_an_image_of_too_many_pixels_are_refused(tmp_path, monkeypatch, kind):
    monkeypatch.setattr(module, "MAX_MEMBER", 10_000)
    huge = bytearray(png())
    huge[16:24] = struct.pack(">II", 20000, 20000)
    huge[29:33] = struct.pack(">I", zlib.crc32(huge[12:29]))
    files = {"1.png": png(), "bomb.png": bytes(50_000), "huge.png": bytes(huge)}
    with pytest.raises(DataError) as error:
        open_images(write(tmp_path / f"a.{kind}", files, zipfile.ZIP_DEFLATED))
    bad = {path.name: reason for path, reason in error.value.bad}
    assert bad["bomb.png"] == "too large: 50000 bytes unpacked, at most 10000"
    assert bad["huge.png"].startswith("too large: 20000 x 20000, at most")


def test_a_zip_that_lies_about_its_size_is_refused(tmp_path):
    path = write(tmp_path / "a.zip", {"1.png": png(), "2.png": bytes(50_000)}, zipfile.ZIP_DEFLATED)
    content = bytearray(path.read_bytes())
    start = content.rindex(b"PK\x01\x02")  # of 2.png, whose size is 24 bytes on
    content[start + 24 : start + 28] = (10).to_bytes(4, "little")
    path.write_bytes(content)
    assert open_images(path, skip_bad=True).files == ("1.png",)


@pytest.mark.parametrize("name", ["a.zip", "a.tar"])
def test_a_damaged_archive_and_a_missing_one_are_refused(tmp_path, name):
    path = tmp_path / name
    with pytest.raises(DataError, match=f"{name}: no such file or directory"):
        open_images(path)
    for content in (b"", b"PK\x03\x04" + bytes(60), os.urandom(2000)):
        path.write_bytes(content)
        with pytest.raises(DataError, match=f"{name}: .*"):
            open_images(path)
    write(path, {"1.png": png(), "notes.txt": b"text"})
    damaged = bytearray(path.read_bytes())
    damaged[damaged.index(b"IDAT") + 6] ^= 255
    path.write_bytes(damaged)
    with pytest.raises(DataError, match=r"1 of 1 files cannot be read as images: 1.png \(damaged"):
        open_images(path)
    with pytest.raises(DataError, match="no images in it; left out: 1 TXT; looked for"):
        open_images(write(path, {"notes.txt": b""}))


def test_a_compressed_tar_and_a_second_file_of_a_name_are_refused(tmp_path):
    (tmp_path / "a.tar.gz").touch()
    assert source_kind(tmp_path / "a.tar.gz") == "archive"
    with pytest.raises(
        DataError, match=r"a.tar.gz: a compressed tar, of which no single file can be read: make it a .tar or .zip"
    ):
        open_images(tmp_path / "a.tar.gz")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("1.png", png())
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("1.png", png((9, 9, 9)))
    with pytest.raises(DataError, match=r"1.png \(a second file of this name\)"):
        open_images(tmp_path / "a.zip")
