"""Images that were generated, in memory."""

import html
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from diffkit_trainer import as_pixels, grid
from PIL.Image import Image
from torch import Tensor

from diffkit_cli.api.keywords import named_as_keywords
from diffkit_cli.paths import png_or_folder
from diffkit_cli.sampling.data_url import data_url
from diffkit_cli.sampling.generate import Samples
from diffkit_cli.sampling.limits import require_image
from diffkit_cli.sampling.outputs import output_of
from diffkit_cli.sampling.plan import Plan
from diffkit_cli.sampling.writer import write_samples

__all__ = ["GeneratedImages"]

MAX_SHOWN = 100
"""Images in the grid of a notebook, which stores it."""


class GeneratedImages:
    """The images of `Run.sample`; a notebook shows them as a grid.

    pixels: uint8 (N, C, H, W) on the CPU; of a run of other samples, float32 (N, C, *space). metadata: how they were generated,
    as their PNG has it. images[i] is image i, a `PIL.Image`.

    >>> from diffkit_cli import open_run
    >>> images = open_run("digits", device="cpu").sample(3, steps=2, seed=7)
    >>> images.pixels.shape, images[0].size, images.metadata["seed"]
    (torch.Size([3, 1, 8, 8]), (8, 8), 7)
    """

    def __init__(self, plan: Plan, pixels: Tensor) -> None:
        self._plan, self.pixels = plan, pixels

    @property
    def metadata(self) -> dict[str, Any]:
        """The options, the hash of the weights and the training step."""
        return self._plan.metadata("sample")

    def grid(self, columns: int | None = None) -> Image:
        """The images in one grid, with the names of their classes where there are several, see `diffkit_trainer.grid`."""
        return grid(as_pixels(self.pixels), columns, captions=self._plan.captions)

    def save(self, out: str | Path, *, force: bool = False) -> None:
        """Write the files of `diffkit sample --out`: NAME.png is one grid, a folder has a PNG for each image.

        force: replace what the command replaces with --force only: files that diffkit did not make, and in a folder images that
        were made with other options. Raises ValueError for such a file without it, for another image format and for too many
        images in one grid; OSError if the files cannot be written.
        """
        with named_as_keywords():
            path, captions = png_or_folder(Path(out)), self._plan.captions
            require_image(path, len(self), self._plan.shape, captioned=bool(captions))
            single = self._plan.single
            output = output_of(path, "", self.metadata, len(self), single=single, force=force)
            write_samples([Samples(self.pixels, [])], output, captions=captions, single=single)

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, i: int) -> Image:
        return grid(as_pixels(self.pixels[i][None]), padding=0, scale=1)

    def __iter__(self) -> Iterator[Image]:
        return map(self.__getitem__, range(len(self)))

    def __repr__(self) -> str:
        return f"<{self._plan}>"

    def _repr_html_(self) -> str:
        shown = grid(as_pixels(self.pixels[:MAX_SHOWN]), captions=self._plan.captions[:MAX_SHOWN])
        text = html.escape(str(self._plan)) + (f"; the first {MAX_SHOWN} are shown" if len(self) > MAX_SHOWN else "")
        return f'<img src="{data_url(shown)}" width="{shown.width}" height="{shown.height}" alt="{text}"><br>{text}'
