"""The making of a packed file: what is decoded stays decoded, whenever the process ends."""

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

from diffkit_trainer.data.folder import decoded
from diffkit_trainer.data.packed.index import LONGEST
from diffkit_trainer.data.packed.mapped import mapped
from diffkit_trainer.errors import RunError
from diffkit_trainer.files.atomic import require_room
from diffkit_trainer.files.regular import read_file
from diffkit_trainer.files.signed_json import signed, verified
from diffkit_trainer.files.strict_json import parse_object
from diffkit_trainer.files.typed_json import as_type
from diffkit_trainer.pixels import as_pixels, raw_bytes

__all__ = ["Packing"]

EVERY = 512
GREY, COLOUR, BAD = "g", "c", "b"


class Entry(Struct):
    """A line of the journal: a letter for each file, and what is wrong with each bad one."""

    kinds: Annotated[str, Meta(pattern=f"^[{GREY}{COLOUR}{BAD}]*\\Z")]
    bad: list[tuple[str, str]]

    def __post_init__(self) -> None:
        if self.kinds.count(BAD) != len(self.bad):
            raise ValueError(f"expected {self.kinds.count(BAD)} bad files, found {len(self.bad)}")


class Packing:
    """A folder with `pixels`, three planes of size x size an image (of a grey one only the first is written), and `journal`,
    a JSON line for every `EVERY` files: their kinds, and what is wrong with the bad ones.

    The pixels are on the disk before the line that speaks of them.
    """

    def __init__(self, folder: Path, size: int) -> None:
        self.folder, self.size = folder, size
        self.kinds = ""
        self.bad: list[tuple[str, str]] = []
        self._recall()

    def decode(self, root: Path, names: list[str], on_progress: Callable[[int], object]) -> None:
        """Everything that is not decoded yet; on_progress(done) after every file. Raises RunError where the disk refuses."""
        plane = self.size * self.size
        if len(self.kinds) > len(names):
            self.discard()
        left = names[len(self.kinds) :]
        place = len(self.kinds) - len(self.bad)
        try:
            require_room(self.folder, plane * (3 * len(left) + len(names)))  # the last, should all be grey: their copy
            with (
                (self.folder / "pixels").open("r+b" if place else "w+b") as pixels,
                closing(decoded(root, left, self.size)) as images,
            ):
                kinds, bad = "", list[tuple[str, str]]()
                for name, image in images:
                    if isinstance(image, Image.Image):
                        pixels.seek(3 * plane * place)
                        pixels.write(raw_bytes(as_pixels(image)))
                        place += 1
                    else:
                        bad.append((name, image))
                    kinds += BAD if isinstance(image, str) else GREY if image.mode == "L" else COLOUR
                    if len(kinds) == EVERY or len(self.kinds) + len(kinds) == len(names):
                        pixels.flush()
                        os.fsync(pixels.fileno())
                        self._note(kinds, bad)
                        kinds, bad = "", []
                    on_progress(len(self.kinds) + len(kinds))
                pixels.truncate(3 * plane * place)  # the last one may be grey
        except OSError as error:
            raise self._refused(error, len(names)) from None

    def finish(self, names: list[str]) -> tuple[Tensor, list[str]]:
        """The pixels (N, 1 or 3, size, size), mapped, and the names of their files. Raises RunError where the disk refuses."""
        good = list(compress(names, (kind != BAD for kind in self.kinds)))
        greys = [kind == GREY for kind in self.kinds if kind != BAD]
        plane, pixels, journal = self.size * self.size, self.folder / "pixels", self.folder / "journal"
        channels = 1 if good and all(greys) else 3
        try:
            # written, not mapped for writing: a disk that is full then is an error, where a page of a map would end the process
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
            journal.unlink(missing_ok=True)  # before the planes change: beside one-plane pixels it would have them read as three
            if channels == 1:
                (self.folder / "grey").replace(pixels)
        except OSError as error:
            raise self._refused(error, len(good)) from None
        return mapped(pixels, (len(good), channels, self.size, self.size), torch.uint8), good

    def discard(self) -> None:
        """Begin anew."""
        self.kinds, self.bad = "", []
        shutil.rmtree(self.folder)
        self.folder.mkdir()

    def _recall(self) -> None:
        """Take over what the journal says, as far as it can be believed, and cut off what cannot."""
        self.folder.mkdir(parents=True, exist_ok=True)
        journal, pixels, plane = self.folder / "journal", self.folder / "pixels", self.size * self.size
        if not os.path.lexists(journal):
            return
        try:
            lines, believed = read_file(journal, LONGEST).splitlines(keepends=True), 0
            for line in lines:
                try:
                    entry = as_type(verified(parse_object(line, journal), journal), Entry, journal)
                except RunError:
                    break
                self.kinds += entry.kinds
                self.bad += entry.bad
                believed += len(line)
            os.truncate(journal, believed)
            place = len(self.kinds) - len(self.bad)
            held = 3 * plane * (place - 1) + plane if place else 0  # the last one may be grey
            if place and not (pixels.is_file() and pixels.stat().st_size >= held):
                self.discard()
        except RunError:  # no file at all
            self.discard()

    def _note(self, kinds: str, bad: list[tuple[str, str]]) -> None:
        with (self.folder / "journal").open("a", encoding="utf-8") as journal:
            journal.write(json.dumps(signed({"kinds": kinds, "bad": bad})) + "\n")
            journal.flush()
            os.fsync(journal.fileno())
        self.kinds += kinds
        self.bad += bad

    def _refused(self, error: OSError, count: int) -> RunError:
        needed = 4 * self.size * self.size * count
        return RunError(
            f"{self.folder}: cannot be written ({error.strerror}); {needed} bytes are needed; set DIFFKIT_CACHE to another folder"
        )
