"""The making of a packed file: what is decoded stays decoded, whenever the process ends."""

import json
import os
import shutil
from collections.abc import Callable
from contextlib import closing
from itertools import compress
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from diffkit_trainer.convert import as_pixels, raw_bytes
from diffkit_trainer.errors import RunError
from diffkit_trainer.folder import decoded
from diffkit_trainer.whole import require_room

__all__ = ["Packing"]

EVERY = 512
GREY, COLOUR, BAD = "g", "c", "b"


class Packing:
    """A folder with `pixels`, three planes of size x size an image (of a grey one only the first is written), and `journal`,
    a JSON line for every `EVERY` files: their kinds, and what is wrong with the bad ones.

    The pixels are on the disk before the line that speaks of them.
    """

    def __init__(self, folder: Path, size: int) -> None:
        self.folder, self.size = folder, size
        self.kinds = ""
        self.bad: list[tuple[str, str]] = []
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunError(f"{folder}: cannot be written ({error.strerror}); set DIFFKIT_CACHE to another folder") from None
        journal = folder / "journal"
        for line in journal.read_text("utf-8").splitlines() if journal.exists() else []:
            try:
                entry = json.loads(line)
            except ValueError:  # cut off
                break
            self.kinds += entry["kinds"]
            self.bad += [(name, why) for name, why in entry["bad"]]

    def decode(self, root: Path, names: list[str], on_progress: Callable[[int], object]) -> None:
        """Everything that is not decoded yet; on_progress(done) after every file. Raises RunError where the disk refuses."""
        plane = self.size * self.size
        left = names[len(self.kinds) :]
        place = len(self.kinds) - len(self.bad)
        try:
            require_room(self.folder, 3 * plane * len(left))
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
            raise RunError(f"{self.folder}: cannot be written ({error.strerror}); set DIFFKIT_CACHE to another folder") from None

    def finish(self, names: list[str]) -> tuple[Tensor, list[str]]:
        """The pixels (N, 1 or 3, size, size), mapped, and the names of their files."""
        good = list(compress(names, (kind != BAD for kind in self.kinds)))
        greys = torch.tensor([kind == GREY for kind in self.kinds if kind != BAD], dtype=torch.bool)
        path, shape = self.folder / "pixels", (len(good), 3, self.size, self.size)
        pixels = _shared(path, shape)
        if good and greys.all():
            packed = _shared(path.with_name("grey"), (len(good), 1, self.size, self.size))
            packed.copy_(pixels[:, :1])
            path.with_name("grey").replace(path)
            pixels = packed
        else:
            for i in greys.nonzero().flatten().tolist():
                pixels[i, 1:] = pixels[i, :1]
        (self.folder / "journal").unlink(missing_ok=True)
        return pixels, good

    def discard(self) -> None:
        """Begin anew next time."""
        shutil.rmtree(self.folder)

    def _note(self, kinds: str, bad: list[tuple[str, str]]) -> None:
        with (self.folder / "journal").open("a", encoding="utf-8") as journal:
            journal.write(json.dumps({"kinds": kinds, "bad": bad}) + "\n")
            journal.flush()
            os.fsync(journal.fileno())
        self.kinds += kinds
        self.bad += bad


def _shared(path: Path, shape: tuple[int, int, int, int]) -> Tensor:
    """A file mapped for writing; made that long where it is shorter."""
    count = shape[0] * shape[1] * shape[2] * shape[3]
    if not count:
        path.touch()
        return torch.empty(shape, dtype=torch.uint8)
    return torch.from_file(str(path), shared=True, size=count, dtype=torch.uint8).view(shape)
