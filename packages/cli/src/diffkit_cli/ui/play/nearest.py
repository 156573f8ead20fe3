"""The training image that is nearest to each sample."""

from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from diffkit_trainer import DataError, Images, nearest_images

from diffkit_cli.errors import UsageError
from diffkit_cli.reports.evaluation import real_images
from diffkit_cli.sampling.loading import LoadedModel
from diffkit_cli.ui.settings import Settings

__all__ = ["Nearest", "nearest_of"]

BUNDLED_DATA = "digits"


class Nearest(NamedTuple):
    """An image of the data, and its distance from the sample: root mean square in grey levels."""

    values: Any
    distance: float


def nearest_of(loaded: LoadedModel, values: Any, settings: Settings) -> list[Nearest]:
    """The nearest image for each sample, uint8 (N, C, H, W).

    Of the data that the page was given; else of the run's own, where they are bundled or below the folder of the page. Raises
    UsageError for data outside of it, and for samples that are no images of the training's size; DataError as `open_images`.
    """
    shape = loaded.model.shape
    if loaded.model.config.image is None or tuple(values.shape[1:]) != shape:
        raise UsageError("the nearest training images are known for samples of the training images' size only")
    images = _images(_source(loaded, settings), shape)
    index, distances = nearest_images(values, images.pixels)
    return [Nearest(images.pixels[k], distance) for k, distance in zip(index.tolist(), distances.tolist(), strict=True)]


def _source(loaded: LoadedModel, settings: Settings) -> str:
    source = settings.data or loaded.model.config.data.source
    if not source:
        raise DataError(f"{loaded.name} does not name its training data: start diffkit ui with --data DATA")
    if settings.data or source == BUNDLED_DATA or settings.holds(Path(source)):
        return source
    raise UsageError(f"the training data {source} is outside of {settings.folder}: start diffkit ui with --data {source}")


@lru_cache(maxsize=1)
def _images(source: str, shape: tuple[int, ...]) -> Images:
    return real_images(source, shape)
