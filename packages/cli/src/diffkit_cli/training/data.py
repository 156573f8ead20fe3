"""The images of a training, read with its progress on view."""

import dataclasses

from diffkit_trainer import Images, open_images, pack
from diffkit_trainer.data import source_kind
from diffkit_trainer.files import printable

from diffkit_cli.terminal.console import console, plural, warn
from diffkit_cli.terminal.progress import counting
from diffkit_cli.training.config import TrainConfig

__all__ = ["SIZE", "of_files", "open_data"]

SIZE = 64
"""What a folder of images is resized to unless told otherwise."""


def open_data(config: TrainConfig, *, skip_bad: bool) -> tuple[Images, TrainConfig]:
    """The images of config.data, and the config with their size; says what was left out, and what there is.

    A folder of images is resized, to `SIZE` unless config.size says otherwise, and packed; IDX files and the digits stay as they
    are unless it does. Raises DataError, see `diffkit_trainer.open_images`.
    """
    files = of_files(config.data)
    size = config.size or (SIZE if files else None)
    with counting(f"reading {config.data}") as on_progress:
        if files and config.pack:
            images = pack(config.data, size or SIZE, skip_bad=skip_bad, on_progress=on_progress)
        else:
            images = open_images(config.data, size, skip_bad=skip_bad, on_progress=on_progress)
    for path, reason in images.skipped:
        warn(f"left out {printable(path)}: {reason}")
    channels, height, width = images.shape
    console.print(f"{plural(len(images), 'image')} of {width}x{height}, {plural(channels, 'channel')}, from {config.data}")
    return images, dataclasses.replace(config, size=size)


def of_files(data: str) -> bool:
    """Whether the data is a folder of images, a file each, which are of any size; not IDX files, not the digits."""
    return source_kind(data) == "folder"
