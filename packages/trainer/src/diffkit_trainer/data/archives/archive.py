"""The files in a zip or tar file by name, each read when it is asked for."""

import os
import stat
import tarfile
import weakref
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from io import BufferedReader, BytesIO
from pathlib import Path
from typing import Any, NamedTuple

from diffkit_trainer.errors import DataError, RefusedError
from diffkit_trainer.files.regular_file import irregular_kind, open_regular, read_at
from diffkit_trainer.files.text import printable

__all__ = ["Archive", "is_archive"]

COMPRESSED = (".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".tar.zst")
MAX_MEMBER = 2**28  # an image of the most pixels that Pillow decodes is 256 MiB of bytes

Content = Callable[[], bytes]


class Member(NamedTuple):
    """A file in an archive: its name, what reads it, and why it is not read, "" if it is."""

    name: str
    read: Content
    reason: str


class Archive:
    """The files in a zip or tar file. Links, devices, encrypted files and names outside the archive are never read.

    path: of the archive. files: the names of those that can be read. bad: the others, with the reason. A folder that holds all
    of them is left out of the names. Raises DataError for a file that is no zip or tar, or is damaged, and for a compressed tar,
    in which one file cannot be read without those before it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if path.name.lower().endswith(COMPRESSED):
            raise DataError(f"{printable(path)}: a compressed tar, of which no single file can be read: make it a .tar or .zip")
        try:
            file = open_regular(path)
            weakref.finalize(self, file.close)
            members = list((_zip_members if path.name.lower().endswith(".zip") else _tar_members)(file))
        except (RefusedError, OSError, EOFError, ValueError, NotImplementedError, zipfile.BadZipFile, tarfile.TarError) as error:
            reason = os.strerror(error.errno).lower() if isinstance(error, OSError) and error.errno else error
            raise DataError(f"{printable(path)}: {reason}; expected a .zip or .tar file") from None
        folders = {member.name.partition("/")[0] for member in members}
        inside = len(folders) == 1 and all("/" in member.name for member in members)
        start = len(folders.pop()) + 1 if inside else 0
        self._contents: dict[str, Content] = {}
        self.bad: list[tuple[str, str]] = []
        for name, read, reason in members:
            path_inside = name[start:].replace("/", os.sep)
            if reason or path_inside in self._contents:
                self.bad.append((path_inside, reason or "a second file of this name"))
            else:
                self._contents[path_inside] = read

    @property
    def files(self) -> list[str]:
        """The names of the files that can be read."""
        return list(self._contents)

    def open(self, name: str) -> BufferedReader:
        """One file, in memory. Raises what reading a damaged archive raises."""
        return BufferedReader(BytesIO(self._contents[name]()))


def is_archive(source: Any) -> bool:
    """Whether the source is the path of a zip or tar file by its suffix, in any case. The file may be missing.

    >>> is_archive("flowers.ZIP"), is_archive("flowers.tar.gz"), is_archive("flowers")
    (True, True, False)
    """
    path = isinstance(source, str | Path) and str(source).lower().endswith((".zip", ".tar", *COMPRESSED))
    return path and not Path(source).is_dir()


def _zip_members(file: BufferedReader) -> Iterator[Member]:
    archive = zipfile.ZipFile(file)
    for each in archive.infolist():
        if each.is_dir():
            continue
        mode = each.external_attr >> 16
        reason = _reason(each.filename, mode if stat.S_IFMT(mode) else stat.S_IFREG, each.file_size)
        if each.flag_bits & 1:
            reason = "encrypted"
        elif each.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            reason = reason or "compressed by another method than deflate"
        yield Member(each.filename, partial(archive.read, each), reason)


def _tar_members(file: BufferedReader) -> Iterator[Member]:
    with tarfile.open(fileobj=file, mode="r:") as archive:
        for each in archive:
            if each.isdir():
                continue
            mode = stat.S_IFREG if each.isreg() else stat.S_IFLNK if each.issym() or each.islnk() else stat.S_IFBLK
            reason = "a sparse file" if each.issparse() else _reason(each.name, mode, each.size)
            yield Member(each.name, partial(_tar_content, file, each.offset_data, each.size), reason)


def _tar_content(file: BufferedReader, start: int, size: int) -> bytes:
    content = read_at(file, size, start)
    if len(content) < size:
        raise EOFError
    return content


def _reason(name: str, mode: int, size: int) -> str:
    """Why a file is not read, "" if it is."""
    if name.startswith("/") or ".." in name.split("/"):
        return "a name outside the archive"
    if stat.S_ISLNK(mode):
        return "a link"
    too_large = f"too large: {size} bytes unpacked, at most {MAX_MEMBER}" if size > MAX_MEMBER else ""
    return irregular_kind(mode) or too_large
