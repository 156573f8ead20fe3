"""The samples of a training run with their conditions, read with progress."""

from pathlib import Path

from diffkit_trainer import Images, open_images, pack
from diffkit_trainer.data import IMAGE_FILES, Size, source_kind, with_columns, with_given
from diffkit_trainer.files import printable
from diffkit_trainer.options import Axes, Mode

from diffkit_cli.errors import UsageError
from diffkit_cli.terminal.console import console, extent, listed, noun, plural, warn
from diffkit_cli.terminal.progress import counting
from diffkit_cli.training.options import OPTIONS, Given

__all__ = ["DATA_OPTIONS", "SIZE", "is_image_folder", "open_data", "require_apart", "sample_count"]

SIZE = 64
"""The default size of a folder of images."""

DATA_OPTIONS = ("data", "size", "axes", "mode", "table", "columns", "given", "given_size", "skip_bad", "pack")
"""The options that `open_data` takes."""


def open_data(given: Given) -> tuple[Images, Size | None]:
    """The samples of the data, and the size that they were resized to, None where they were not; prints what was left out.

    given: of `DATA_OPTIONS`, None where they were not given. A folder of images is resized, to `SIZE` by default, and packed; IDX
    files, arrays and the digits keep their size unless one is given. Raises UsageError for columns without a table, DataError as
    `diffkit_trainer.open_images`, `with_columns` and `with_given` do.
    """
    data, packed = given.get("data") or "digits", given.get("pack")
    packed, skip_bad = OPTIONS["pack"].default if packed is None else packed, bool(given.get("skip_bad"))
    table, columns, pairs = (given.get(name) for name in ("table", "columns", "given"))
    if table and not columns:
        raise UsageError(f"--table needs --columns: the columns of {table} to condition the network on, such as age,weight")
    if columns and not table and source_kind(data) != "array":
        raise UsageError("--columns needs --table: a table with a row for each file of DATA")
    images, size = _open(data, given.get("size"), given.get("axes"), given.get("mode"), packed=packed, skip_bad=skip_bad)
    if columns:
        images = with_columns(images, table or data, columns)
        console.print(f"conditions: {listed(columns)}, from {table or data}")
    if pairs:
        own = images.shape[1:] if is_image_folder(pairs) and len(images.shape) == 3 else None
        axes = given.get("axes") if source_kind(pairs) == "array" else None
        other, _ = _open(pairs, given.get("given_size") or own, axes, None, packed=packed, skip_bad=skip_bad)
        before = len(images.warnings)
        images = with_given(images, other, skip_bad=skip_bad)
        for warning in images.warnings[before:]:
            console.print(warning)
    return images, size


def sample_count(images: Images) -> str:
    """The number of samples and their size, such as "10 images of 8x8"."""
    return f"{plural(len(images), noun(images.shape))} of {extent(images.shape[1:])}"


def is_image_folder(data: str) -> bool:
    """Whether the data is a folder or archive of image files, which are of any size; not IDX files, arrays or the digits."""
    return source_kind(data) in IMAGE_FILES


def require_apart(run: Path, data: str) -> None:
    """Raises UsageError for a run folder that is the folder of the data: its files would be among the images."""
    if is_image_folder(data) and run.resolve() == Path(data).resolve():
        raise UsageError(f"--out {run} is the folder of the images: give another --out, or leave it out")


def _open(
    data: str, size: Size | None, axes: Axes | None, mode: Mode | None, *, packed: bool, skip_bad: bool
) -> tuple[Images, Size | None]:
    folder = is_image_folder(data)
    size = size or (SIZE if folder else None)
    with counting(f"reading {data}") as on_progress:
        if folder and packed and axes is None:
            images = pack(data, size or SIZE, mode=mode, skip_bad=skip_bad, on_progress=on_progress)
        else:
            images = open_images(data, size, skip_bad=skip_bad, on_progress=on_progress, axes=axes, mode=mode)
    for path, reason in images.skipped:
        warn(f"left out {printable(path)}: {reason}")
    console.print(f"{sample_count(images)}, {plural(images.shape[0], 'channel')}, from {data}")
    for warning in images.warnings:
        console.print(warning)
    return images, size
