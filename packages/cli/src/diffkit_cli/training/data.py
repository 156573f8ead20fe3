"""The images of a training run, read with progress."""

from pathlib import Path

from diffkit_trainer import Images, open_images, pack
from diffkit_trainer.data import Size, source_kind
from diffkit_trainer.files import printable

from diffkit_cli.errors import UsageError
from diffkit_cli.terminal.console import console, dimensions, plural, warn
from diffkit_cli.terminal.progress import counting

__all__ = ["SIZE", "is_image_folder", "open_data", "require_apart"]

SIZE = 64
"""The default size of a folder of images."""


def open_data(data: str, size: Size | None, *, packed: bool, skip_bad: bool) -> tuple[Images, Size | None]:
    """The images of the data, and the size that they were resized to, None where they were not; prints what was left out.

    A folder of images is resized, to `SIZE` by default, and packed; IDX files and the digits keep their size unless one is
    given. Raises DataError, see `diffkit_trainer.open_images`.
    """
    folder = is_image_folder(data)
    size = size or (SIZE if folder else None)
    with counting(f"reading {data}") as on_progress:
        if folder and packed:
            images = pack(data, size or SIZE, skip_bad=skip_bad, on_progress=on_progress)
        else:
            images = open_images(data, size, skip_bad=skip_bad, on_progress=on_progress)
    for path, reason in images.skipped:
        warn(f"left out {printable(path)}: {reason}")
    channels, height, width = images.shape
    console.print(f"{plural(len(images), 'image')} of {dimensions(width, height)}, {plural(channels, 'channel')}, from {data}")
    for warning in images.warnings:
        console.print(warning)
    return images, size


def is_image_folder(data: str) -> bool:
    """Whether the data is a folder of image files, which are of any size; not IDX files, not the digits."""
    return source_kind(data) == "folder"


def require_apart(run: Path, data: str) -> None:
    """Raises UsageError for a run folder that is the folder of the data: its files would be among the images."""
    if is_image_folder(data) and run.resolve() == Path(data).resolve():
        raise UsageError(f"--out {run} is the folder of the images: give another --out, or leave it out")
