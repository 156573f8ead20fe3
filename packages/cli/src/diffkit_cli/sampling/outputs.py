"""Which files a command writes its images to: what diffkit did not make is not replaced unless that is asked for."""

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any

from diffkit_trainer import DataError, read_metadata

from diffkit_cli.errors import UsageError

__all__ = ["output_path", "require_replaceable"]

NUMBERED = re.compile(r"([0-9]{5,})\.png")
"""An image in a folder of `diffkit_trainer.save_images`."""


def output_path(
    given: Path | None,
    default: str,
    metadata: Mapping[str, Any],
    *,
    images: int = 1,
    also: Sequence[Path] = (),
    inputs: Iterable[Path | None] = (),
    force: bool = False,
) -> Path:
    """The path that a command writes its images to, which is --out where it was given.

    Without it, the default, or the first of default-2.png, default-3.png, ... that is free: a name that no file has, or one with
    the same metadata, which is the same image. images, also, inputs, force: see `require_replaceable`, which this calls. With
    force the default is not numbered.

    >>> output_path(Path("a.png"), "samples.png", {}), output_path(None, "samples.png", {}, force=True)
    (PosixPath('a.png'), PosixPath('samples.png'))
    """
    read, path = [each for each in inputs if each is not None], given or Path(default)
    if given is None and not force:
        own = json.loads(json.dumps(metadata))
        names = (path.with_stem(f"{path.stem}-{i}") if i > 1 else path for i in count(1))
        path = next(each for each in names if not _exists(each) or (_metadata(each) == own and not _among(each, read)))
    require_replaceable([path, *also], images=images, inputs=read, force=force)
    return path


def require_replaceable(paths: Iterable[Path], *, images: int = 1, inputs: Sequence[Path] = (), force: bool = False) -> None:
    """Raises UsageError where a file would be replaced that diffkit did not make, or that the command reads.

    paths: files, and folders for as many images. inputs: what the command reads. force: replace what diffkit did not make.
    """
    replaced = [file for path in paths for file in _replaced(path, images)]
    for path in replaced:
        if _among(path, inputs):
            raise UsageError(f"{path} would replace an image that this command reads: give another path")
    foreign = [] if force else [path for path in replaced if _metadata(path) is None]
    if foreign:
        others = f", and {len(foreign) - 1} more" if len(foreign) > 1 else ""
        raise UsageError(f"{foreign[0]} was not made by diffkit{others}: give another path, or --force to replace it")


def _replaced(path: Path, images: int) -> Iterator[Path]:
    """The file that is there; of a folder the images with the first so many numbers."""
    if path.is_dir():
        files = {int(found[1]): file for file in path.iterdir() if (found := NUMBERED.fullmatch(file.name))}
        yield from (file for number, file in sorted(files.items()) if number < images)
    elif _exists(path):
        yield path


def _metadata(path: Path) -> dict[str, Any] | None:
    """The metadata of an image; None for a file that diffkit did not make, or that is damaged."""
    try:
        return read_metadata(path)
    except DataError:
        return None


def _among(path: Path, inputs: Iterable[Path]) -> bool:
    return path.resolve() in {each.resolve() for each in inputs}


def _exists(path: Path) -> bool:
    return os.path.lexists(path)
