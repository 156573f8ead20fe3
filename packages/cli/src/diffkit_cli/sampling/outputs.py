"""Which files a command writes its images to: what diffkit did not make is not replaced unless that is asked for."""

import json
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

from diffkit_trainer import DataError, read_metadata

from diffkit_cli.errors import UsageError, foreign_files
from diffkit_cli.sampling.metadata import NAMES, file_metadata, image_metadata

__all__ = ["Output", "output_of", "output_path", "require_replaceable"]

NUMBERED = re.compile(r"([0-9]{5,})\.(?:png|npy)")
"""A file in a folder of `diffkit_trainer.save_images` or `save_arrays`."""

MAX_DIFFERENCES = 3


class Output(NamedTuple):
    """Where a command writes its images.

    path: NAME.png for one grid, or a folder. images: how many. metadata: of the one file. of_image(i): of image i of a folder.
    kept: the numbers of the images that are in the folder already. animated: whether animations of all images are written too.
    """

    path: Path
    images: int
    metadata: dict[str, Any]
    of_image: Callable[[int], Mapping[str, Any]]
    kept: frozenset[int]
    animated: bool

    def has(self, i: int) -> bool:
        """Whether the folder has image i now."""
        return _is_of(self.path / f"{i:05d}.png", self.of_image(i))

    def __str__(self) -> str:
        return f"{self.path} ({len(self.kept)} of them were there)" if self.kept else str(self.path)


def output_of(
    given: Path | None,
    default: str,
    metadata: Mapping[str, Any],
    images: int,
    *,
    of_image: Callable[[Mapping[str, Any], int], Mapping[str, Any]] = image_metadata,
    single: bool = False,
    also: Sequence[Path] = (),
    inputs: Iterable[Path | None] = (),
    force: bool = False,
) -> Output:
    """Where a command writes so many images, which may be a folder; see `output_path`.

    Images of a folder that have the same number and metadata are the same images: they are kept, whatever wrote them, unless
    animations need all of them. metadata: of all images; of_image(metadata, i): of image i of a folder. single: one image, at its
    own size instead of in a grid. Raises UsageError where an image would be replaced that was made otherwise, without force.
    """
    note, read = file_metadata(metadata, single=single), [each for each in inputs if each is not None]
    path, of_one = output_path(given, default, note, also=also, inputs=read, force=force), partial(of_image, metadata)
    kept = _kept(path, images, of_one, read, force=force) if path.is_dir() else frozenset[int]()
    return Output(path, images, note, of_one, frozenset() if also else kept, bool(also))


def output_path(
    given: Path | None,
    default: str,
    metadata: Mapping[str, Any],
    *,
    also: Sequence[Path] = (),
    inputs: Iterable[Path | None] = (),
    force: bool = False,
) -> Path:
    """The path that a command writes its images to, which is --out where it was given.

    Without it, the default, or the first of default-2.png, default-3.png, ... that is free: a name that no file has, or one with
    the same metadata, which is the same image. also, inputs, force: see `require_replaceable`, which this calls. With force the
    default is not numbered.

    >>> output_path(Path("a.png"), "samples.png", {}), output_path(None, "samples.png", {}, force=True)
    (PosixPath('a.png'), PosixPath('samples.png'))
    """
    read, path = [each for each in inputs if each is not None], given or Path(default)
    if given is None and not force:
        names = (path.with_stem(f"{path.stem}-{i}") if i > 1 else path for i in count(1))
        path = next(each for each in names if not _exists(each) or (_is_of(each, metadata) and not _among(each, read)))
    require_replaceable([path, *also], inputs=read, force=force)
    return path


def require_replaceable(paths: Iterable[Path], *, inputs: Sequence[Path] = (), force: bool = False) -> None:
    """Raises UsageError where a file would be replaced that diffkit did not make, or that the command reads.

    paths: files; folders are left out. inputs: what the command reads. force: replace what diffkit did not make.
    """
    replaced = [path for path in paths if _exists(path) and not path.is_dir()]
    _refuse_inputs(replaced, inputs)
    foreign = [] if force else [path for path in replaced if _metadata(path) is None]
    if foreign:
        raise foreign_files(foreign)


def _kept(
    folder: Path, images: int, of_image: Callable[[int], Mapping[str, Any]], inputs: Sequence[Path], *, force: bool
) -> frozenset[int]:
    """The numbers of the images that are in the folder already. Raises UsageError where another file has the number of one."""
    numbered = {int(name[1]): file for file in folder.iterdir() if (name := NUMBERED.fullmatch(file.name))}
    files = {i: file for i, file in sorted(numbered.items()) if i < images and file.stem == f"{i:05d}"}
    found = {i: _metadata(file) for i, file in files.items()}
    kept = frozenset(i for i, metadata in found.items() if metadata is not None and _plain(metadata) == _plain(of_image(i)))
    others = [i for i in files if i not in kept]
    _refuse_inputs([files[i] for i in others], inputs)
    if others and not force:
        if foreign := [files[i] for i in others if found[i] is None]:
            raise foreign_files(foreign)
        more = f" (and {len(others) - 1} more)" if len(others) > 1 else ""
        made = f"{files[others[0]]}{more} was made with {_difference(found[others[0]] or {}, of_image(others[0]))}"
        raise UsageError(f"{made}: give another folder, or --force to replace it")
    return kept


def _difference(there: Mapping[str, Any], metadata: Mapping[str, Any]) -> str:
    """What differs, in words."""
    old, new = _plain(there), _plain(metadata)
    keys = [key for key in {**new, **old} if old.get(key) != new.get(key)]
    return "; ".join(f"{key} {old.get(key, 'none')!s:.40}, not {new.get(key, 'none')!s:.40}" for key in keys[:MAX_DIFFERENCES])


def _plain(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The metadata as they are read back, without the names: a run that was renamed generates the same images."""
    document: dict[str, Any] = json.loads(json.dumps({key: value for key, value in metadata.items() if key != NAMES}))
    return document


def _is_of(path: Path, metadata: Mapping[str, Any]) -> bool:
    found = _metadata(path)
    return found is not None and _plain(found) == _plain(metadata)


def _metadata(path: Path) -> dict[str, Any] | None:
    """The metadata of an image; None for a file that diffkit did not make, or that is damaged."""
    try:
        return read_metadata(path)
    except DataError:
        return None


def _refuse_inputs(replaced: Iterable[Path], inputs: Sequence[Path]) -> None:
    for path in replaced:
        if _among(path, inputs):
            raise UsageError(f"{path} would replace an image that this command reads: give another path")


def _among(path: Path, inputs: Iterable[Path]) -> bool:
    return path.resolve() in {each.resolve() for each in inputs}


def _exists(path: Path) -> bool:
    return os.path.lexists(path)
