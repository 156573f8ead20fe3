"""How good samples are: against the data, beside what the data is against itself."""

from dataclasses import dataclass

import torch
from torch import Tensor

from diffkit_trainer.data.images import Images
from diffkit_trainer.errors import DataError
from diffkit_trainer.evaluation.distances import frechet_distance, kernel_distance, nearest
from diffkit_trainer.evaluation.feature_file import FeatureNetwork
from diffkit_trainer.evaluation.features import Features, learn_features, seen
from diffkit_trainer.rng import generator

__all__ = ["FEWEST", "Evaluation", "Scores", "Split", "evaluate", "split_dataset"]

FEWEST = 40


@dataclass(frozen=True)
class Scores:
    """What one set of images is, compared with another of as many: KID, FD, and the distance of each to its nearest."""

    kid: float
    fd: float
    distances: Tensor


@dataclass(frozen=True)
class Evaluation:
    """The samples' figures and the data's own, of `images` images each; the features; each sample's nearest image's index."""

    images: int
    samples: Scores
    real: Scores
    features: str
    score: float | None
    nearest: Tensor


@dataclass(frozen=True)
class Split:
    """Indices into the data: half to learn features from, and two quarters that are compared with each other."""

    learned: Tensor
    one: Tensor
    other: Tensor


def split_dataset(images: Images, seed: int = 0) -> Split:
    """The data in random parts. Raises DataError for fewer than 40 images.

    >>> from diffkit_trainer import open_images
    >>> parts = split_dataset(open_images("digits"))
    >>> len(parts.learned), len(parts.one), len(parts.other)
    (899, 449, 449)
    """
    if len(images) < FEWEST:
        raise DataError(f"{images.name}: too few images to compare with, expected at least {FEWEST}, found {len(images)}")
    order = torch.randperm(len(images), generator=generator(seed, "evaluation"))
    quarter = len(images) // 4
    return Split(order[2 * quarter :], order[:quarter], order[quarter : 2 * quarter])


def evaluate(
    samples: Tensor, images: Images, parts: Split, seed: int = 0, features: Features | FeatureNetwork | None = None
) -> Evaluation:
    """Compare uint8 samples (N, C, H, W) with images of their shape, N at most as many as parts.one; see `split`.

    The features, unless given, are learned from parts.learned and compared on images that they were not learned from; N real
    images against N others of them are the yardstick. The nearest image is looked for in all of the data, for a real one among
    the others.
    """
    count = len(samples)
    one, other = parts.one[:count], parts.other[:count]
    pixels, labels = images.pixels, images.labels
    features = features or learn_features(
        seen(pixels, parts.learned),
        None if labels is None else labels[parts.learned],
        seen(pixels, parts.one),
        None if labels is None else labels[parts.one],
        seed,
    )
    drawn, real, reference = features(samples), features(pixels[other]), features(pixels[one])
    index, distances = nearest(samples, pixels)
    _, apart = nearest(pixels[other], pixels, but_equal_index=other)
    return Evaluation(
        count,
        Scores(kernel_distance(drawn, reference), frechet_distance(drawn, reference), distances),
        Scores(kernel_distance(real, reference), frechet_distance(real, reference), apart),
        features.kind,
        features.score,
        index,
    )
