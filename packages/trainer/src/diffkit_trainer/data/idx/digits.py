"""The bundled data set: 1,797 handwritten digits of 8 x 8."""

from pathlib import Path
from typing import Any

from diffkit_trainer.data.idx.idx_folder import open_idx
from diffkit_trainer.data.images import Images, Progress

__all__ = ["is_digits", "open_digits"]

FOLDER = Path(__file__).parents[2] / "digits"


def is_digits(source: Any) -> bool:
    """Whether the source is "digits" and no folder has that name."""
    return isinstance(source, str | Path) and str(source) == "digits" and not Path(source).is_dir()


def open_digits(
    _source: Any,
    size: tuple[int, int] | None,
    *,
    skip_bad: bool = False,  # noqa: ARG001 - every reader of a source takes it
    on_progress: Progress | None = None,
) -> Images:
    """The digits with their labels; see `open_images`."""
    return open_idx(FOLDER / "images-idx3-ubyte.gz", FOLDER / "labels-idx1-ubyte.gz", "digits", size, on_progress)
