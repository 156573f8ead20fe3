"""Writes a packed file, and continues one whose process was stopped: no image is decoded twice."""

import json
import os
import shutil
from collections.abc import Callable
from contextlib import closing
from itertools import compress
from pathlib import Path
from typing import Annotated

import torch
from msgspec import Meta, Struct
from PIL import Image
from torch import Tensor

from diffkit_trainer.data.decode import decode_all
from diffkit_trainer.data.packed.index import MAX_BYTES
from diffkit_trainer.data.packed.memory_map import map_tensor
from diffkit_trainer.errors import RunError
from diffkit_trainer.files.atomic import require_free_space
from diffkit_trainer.files.checksum_json import verify_checksum, with_checksum
from diffkit_trainer.files.regular import read_file
from diffkit_trainer.files.strict_json import parse_object
from diffkit_trainer.files.typed_json import as_type
from diffkit_trainer.pixels import image_to_tensor, raw_bytes

__all__ = ["PackWriter"]

FILES_PER_ENTRY = 512
GREY, COLOUR, BAD = "g", "c", "b"


class Entry(Struct):
    """A line of the journal: the kind of each file as one letter, and the reason for each bad file."""

    kinds: Annotated[str, Meta(pattern=f"^[{GREY}{COLOUR}{BAD}]*\\Z")]
    bad: list[tuple[str, str]]

    def __post_init__(self) -> None:
        if self.kinds.count(BAD) != len(self.bad):
            raise ValueError(f"expected {self.kinds.count(BAD)} bad files, found {len(self.bad)}")


class PackWriter:
    """Writes a folder with the files `pixels` and `journal`.

    pixels: three planes of size x size for each image; of a grey image only the first is written. journal: a JSON line for
    every 512 files, see `Entry`. The pixels are synced to the disk before their line is written.
    """

    def __init__(self, folder: Path, size: int) -> None:
        self.folder, self.size = folder, size
        self.kinds = ""
        self.bad: list[tuple[str, str]] = []
        self._resume()

    def decode(self, root: Path, names: list[str], on_progress: Callable[[int], object]) -> None:
        """Decode the files that are not in the journal yet; calls on_progress(done) after each. RunError if writing fails."""
        plane = self.size * self.size
        if len(self.kinds) > len(names):
            self.discard()
        left = names[len(self.kinds) :]
        position = len(self.kinds) - len(self.bad)
        try:
            require_free_space(self.folder, plane * (3 * len(left) + len(names)))  # len(names): the copy, if all are grey
            with (
                (self.folder / "pixels").open("r+b" if position else "w+b") as pixels,
                closing(decode_all(root, left, self.size)) as images,
            ):
                kinds, bad = "", list[tuple[str, str]]()
                for name, image in images:
                    if isinstance(image, Image.Image):
                        pixels.seek(3 * plane * position)
                        pixels.write(raw_bytes(image_to_tensor(image)))
                        position += 1
                    else:
                        bad.append((name, image))
                    kinds += BAD if isinstance(image, str) else GREY if image.mode == "L" else COLOUR
                    if len(kinds) == FILES_PER_ENTRY or len(self.kinds) + len(kinds) == len(names):
                        pixels.flush()
                        os.fsync(pixels.fileno())
                        self._append(kinds, bad)
                        kinds, bad = "", []
                    on_progress(len(self.kinds) + len(kinds))
                pixels.truncate(3 * plane * position)  # the last image may be grey
        except OSError as error:
            raise self._write_error(error, len(names)) from None

    def finish(self, names: list[str]) -> tuple[Tensor, list[str]]:
        """The pixels (N, 1 or 3, size, size), mapped into memory, and the names of their files. RunError if writing fails."""
        good = list(compress(names, (kind != BAD for kind in self.kinds)))
        greys = [kind == GREY for kind in self.kinds if kind != BAD]
        plane, pixels, journal = self.size * self.size, self.folder / "pixels", self.folder / "journal"
        channels = 1 if good and all(greys) else 3
        try:
            # written, not mapped: a full disk is an error then, but a signal that ends the process if a mapped page is written
            with pixels.open("r+b") as file:
                if channels == 1:
                    with (self.folder / "grey").open("wb") as packed:
                        for i in range(len(good)):
                            packed.write(os.pread(file.fileno(), plane, 3 * plane * i))
                else:
                    for i in compress(range(len(good)), greys):
                        first = os.pread(file.fileno(), plane, 3 * plane * i)
                        file.seek(3 * plane * i + plane)
                        file.write(first + first)
            journal.unlink(missing_ok=True)  # first: with it, one-plane pixels would be read as three planes
            if channels == 1:
                (self.folder / "grey").replace(pixels)
        except OSError as error:
            raise self._write_error(error, len(good)) from None
        return map_tensor(pixels, (len(good), channels, self.size, self.size), torch.uint8), good

    def discard(self) -> None:
        """Remove everything and start again."""
        self.kinds, self.bad = "", []
        shutil.rmtree(self.folder)
        self.folder.mkdir()

    def _resume(self) -> None:
        """Continue after the last valid line of the journal; cut off the rest."""
        self.folder.mkdir(parents=True, exist_ok=True)
        journal, pixels, plane = self.folder / "journal", self.folder / "pixels", self.size * self.size
        if not os.path.lexists(journal):
            return
        try:
            lines, valid = read_file(journal, MAX_BYTES).splitlines(keepends=True), 0
            for line in lines:
                try:
                    entry = as_type(verify_checksum(parse_object(line, journal), journal), Entry, journal)
                except RunError:
                    break
                self.kinds += entry.kinds
                self.bad += entry.bad
                valid += len(line)
            os.truncate(journal, valid)
            position = len(self.kinds) - len(self.bad)
            expected = 3 * plane * (position - 1) + plane if position else 0  # the last image may be grey
            if position and not (pixels.is_file() and pixels.stat().st_size >= expected):
                self.discard()
        except RunError:  # the journal is not a file
            self.discard()

    def _append(self, kinds: str, bad: list[tuple[str, str]]) -> None:
        with (self.folder / "journal").open("a", encoding="utf-8") as journal:
            journal.write(json.dumps(with_checksum({"kinds": kinds, "bad": bad})) + "\n")
            journal.flush()
            os.fsync(journal.fileno())
        self.kinds += kinds
        self.bad += bad

    def _write_error(self, error: OSError, count: int) -> RunError:
        needed = 4 * self.size * self.size * count
        return RunError(
            f"{self.folder}: cannot be written ({error.strerror}); {needed} bytes are needed; set DIFFKIT_CACHE to another folder"
        )
