"""Writes a packed file, and continues one whose process was stopped: no image is decoded twice."""

import math
import os
import shutil
from collections.abc import Callable
from contextlib import closing
from itertools import compress
from pathlib import Path

from PIL import Image
from torch import Tensor

from diffkit_trainer.data.decode import decode_all
from diffkit_trainer.data.listing import Listing
from diffkit_trainer.data.packed.index import dtype_of
from diffkit_trainer.data.packed.journal import BAD, COLOUR, GREY, append_entry, read_valid_entries
from diffkit_trainer.data.packed.memory_map import map_tensor
from diffkit_trainer.errors import RunError
from diffkit_trainer.files.atomic import require_free_space
from diffkit_trainer.files.regular_file import read_at
from diffkit_trainer.options import Mode
from diffkit_trainer.pixels import image_to_tensor, raw_bytes

__all__ = ["PackWriter"]

FILES_PER_ENTRY = 512
CHANNELS: dict[Mode | None, int] = {None: 3, "L": 1, "LA": 2, "RGB": 3, "RGBA": 4, "L16": 1}


class PackWriter:
    """Writes a folder with the files `pixels` and `journal`.

    size: (height, width). mode: that of all images, None for grey or RGB. pixels: for each image as many planes of that size as
    the mode has channels, three without a mode, where of a grey image only the first is written. journal: an entry for every 512
    files. The pixels are synced to the disk before their entry is written.
    """

    def __init__(self, folder: Path, size: tuple[int, int], mode: Mode | None = None) -> None:
        self.folder, self.size, self.mode = folder, size, mode
        self.plane, self.planes = math.prod(size) * dtype_of(mode).itemsize, CHANNELS[mode]
        self.kinds = ""
        self.bad: list[tuple[str, str]] = []
        self._resume()

    def decode(self, listing: Listing, on_progress: Callable[[int], object]) -> None:
        """Decode the files that are not in the journal yet; calls on_progress(done) after each. RunError if writing fails."""
        names, plane, planes = listing.files, self.plane, self.planes
        if len(self.kinds) > len(names):
            self.discard()
        left = names[len(self.kinds) :]
        position = len(self.kinds) - len(self.bad)
        try:
            require_free_space(self.folder, plane * (planes * len(left) + len(names)))  # len(names): the copy, if all are grey
            with (
                (self.folder / "pixels").open("r+b" if position else "w+b") as pixels,
                closing(decode_all(listing.open, left, self.size, self.mode, generated=listing.generated)) as images,
            ):
                kinds, bad = "", list[tuple[str, str]]()
                for name, image in images:
                    if isinstance(image, Image.Image):
                        pixels.seek(planes * plane * position)
                        pixels.write(raw_bytes(image_to_tensor(image)))
                        position += 1
                    else:
                        bad.append((name, image))
                    grey = self.mode is None and not isinstance(image, str) and image.mode == "L"
                    kinds += BAD if isinstance(image, str) else GREY if grey else COLOUR
                    if len(kinds) == FILES_PER_ENTRY or len(self.kinds) + len(kinds) == len(names):
                        pixels.flush()
                        os.fsync(pixels.fileno())
                        append_entry(self.folder / "journal", kinds, bad)
                        self.kinds, self.bad = self.kinds + kinds, self.bad + bad
                        kinds, bad = "", []
                    on_progress(len(self.kinds) + len(kinds))
                pixels.truncate(planes * plane * position)  # the last image may be grey
        except OSError as error:
            raise self._write_error(error, len(names)) from None

    def finish(self, names: list[str]) -> tuple[Tensor, list[str]]:
        """The pixels (N, C, H, W), mapped into memory, and the names of their files. RunError if writing fails."""
        good = list(compress(names, (kind != BAD for kind in self.kinds)))
        greys = [kind == GREY for kind in self.kinds if kind != BAD]
        plane, pixels, journal = self.plane, self.folder / "pixels", self.folder / "journal"
        channels = 1 if good and all(greys) else self.planes
        try:
            # written, not mapped: a full disk is an error then, but a signal that ends the process if a mapped page is written
            with pixels.open("r+b") as file:
                if channels < self.planes:
                    with (self.folder / "grey").open("wb") as packed:
                        for i in range(len(good)):
                            packed.write(read_at(file, plane, 3 * plane * i))
                else:
                    for i in compress(range(len(good)), greys):
                        first = read_at(file, plane, 3 * plane * i)
                        file.seek(3 * plane * i + plane)
                        file.write(first + first)
            journal.unlink(missing_ok=True)  # first: with it, one-plane pixels would be read as three planes
            if channels < self.planes:
                (self.folder / "grey").replace(pixels)
        except OSError as error:
            raise self._write_error(error, len(good)) from None
        return map_tensor(pixels, (len(good), channels, *self.size), dtype_of(self.mode)), good

    def discard(self) -> None:
        """Remove everything and start again."""
        self.kinds, self.bad = "", []
        shutil.rmtree(self.folder)
        self.folder.mkdir()

    def _resume(self) -> None:
        """Continue after the last valid entry of the journal."""
        self.folder.mkdir(parents=True, exist_ok=True)
        journal, pixels, plane = self.folder / "journal", self.folder / "pixels", self.plane
        if not os.path.lexists(journal):
            return
        try:
            self.kinds, self.bad = read_valid_entries(journal)
            position = len(self.kinds) - len(self.bad)
            expected = self.planes * plane * (position - 1) + plane if position else 0  # the last image may be grey
            if position and not (pixels.is_file() and pixels.stat().st_size >= expected):
                self.discard()
        except RunError:  # the journal is not a file
            self.discard()

    def _write_error(self, error: OSError, count: int) -> RunError:
        needed = (self.planes + 1) * self.plane * count
        return RunError(
            f"{self.folder}: cannot be written ({error.strerror}); {needed} bytes are needed; set DIFFKIT_CACHE to another folder"
        )
