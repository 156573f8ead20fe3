"""Scores of generated images against the data, with the scores of real images for comparison."""

from collections.abc import Collection
from dataclasses import dataclass

import torch
from torch import Tensor

from diffkit_trainer.data.held_out import held_out
from diffkit_trainer.data.images import Images
from diffkit_trainer.errors import DataError
from diffkit_trainer.evaluation.distances import nearest_images
from diffkit_trainer.evaluation.feature_file import FeatureNetwork
from diffkit_trainer.evaluation.features import Features, learn_features, to_input
from diffkit_trainer.evaluation.metrics import Comparison, Scores
from diffkit_trainer.rng import generator

__all__ = ["Evaluation", "Split", "evaluate", "learned_features", "split_dataset"]

MIN_IMAGES = 40
MIN_HELD_OUT = 200
"""Scores against fewer images scatter more than networks differ."""


@dataclass(frozen=True)
class Evaluation:
    """The scores of the samples and of real images, `images` of each, against `reference` real images.

    features: the kind of the features. feature_quality: their accuracy or explained variance, None if unknown.
    nearest, distances: for each sample the index of the nearest image of the data, and the distance to it.
    """

    images: int
    reference: int
    samples: Scores
    real: Scores
    features: str
    feature_quality: float | None
    nearest: Tensor
    distances: Tensor


@dataclass(frozen=True)
class Split:
    """Indices into the data: to learn features from, as the reference, and real images to score.

    held_out: the reference was held out of the training, and the others were not.
    """

    training: Tensor
    reference: Tensor
    real: Tensor
    held_out: bool = False

    def of_classes(self, images: Images, classes: Collection[int]) -> "Split":
        """The split with the reference and real images of these classes only; all images are still learned from.

        >>> from diffkit_trainer import open_images
        >>> images = open_images("digits")
        >>> split = split_dataset(images).of_classes(images, [3])
        >>> set(images.labels[split.reference].tolist()), len(split.training)
        ({3}, 899)
        """
        if images.labels is None:
            raise ValueError(f"{images.name} has no classes")
        wanted = torch.isin(images.labels, torch.tensor(sorted(classes), dtype=torch.int64))
        reference, real = (part[wanted[part]] for part in (self.reference, self.real))
        return Split(self.training, reference, real, self.held_out)


def split_dataset(images: Images, seed: int = 0, fraction: float = 0.0) -> Split:
    """A random split of the data: a half to learn features from, a quarter as the reference, a quarter of real images to score.

    fraction: of the images, held out by `held_out` of the training whose samples are scored. Where these are at least 200 they
    are the reference, and the halves of the others are learned from and scored. Raises DataError for fewer than 40 images.

    >>> from diffkit_trainer import open_images
    >>> digits = open_images("digits")
    >>> for split in split_dataset(digits), split_dataset(digits, fraction=0.2):
    ...     print(len(split.training), len(split.reference), len(split.real), split.held_out)
    899 449 449 False
    724 350 723 True
    """
    if len(images) < MIN_IMAGES:
        raise DataError(f"{images.name}: too few images to compare with, expected at least {MIN_IMAGES}, found {len(images)}")
    order = torch.randperm(len(images), generator=generator(seed, "evaluation"))
    apart = held_out(images, fraction)[order]
    if int(apart.sum()) >= MIN_HELD_OUT:
        trained = order[~apart]
        half = len(trained) // 2
        return Split(trained[half:], order[apart], trained[:half], held_out=True)
    quarter = len(images) // 4
    return Split(order[2 * quarter :], order[:quarter], order[quarter : 2 * quarter])


def learned_features(images: Images, split: Split, seed: int = 0) -> Features:
    """Features learned from split.training, whose quality is that on split.reference."""
    pixels, labels = images.pixels, images.labels
    return learn_features(
        to_input(pixels, split.training),
        None if labels is None else labels[split.training],
        to_input(pixels, split.reference),
        None if labels is None else labels[split.reference],
        seed,
    )


def evaluate(
    samples: Tensor,
    images: Images,
    split: Split,
    seed: int = 0,
    features: Features | FeatureNetwork | None = None,
    classes: Collection[int] | None = None,
    labels: Tensor | None = None,
) -> Evaluation:
    """Compare samples, uint8 (N, C, H, W), with images of the same shape; N is at most the size of split.real.

    Both the samples and N real images are compared with N reference images, or all where they are fewer; classes: with those of
    these classes, see `Split.of_classes`. features: by default `learned_features`. The nearest image is searched in all of the
    data, for a real image among the others. labels: the class asked for, of each sample, int64 (N,): a learned classifier gives
    the share that it recognises.
    """
    pixels, features = images.pixels, features or learned_features(images, split, seed)
    count, compared = len(samples), split if classes is None else split.of_classes(images, classes)
    reference, real = compared.reference[:count], compared.real[:count]
    of_samples, of_real, of_reference = features(samples), features(pixels[real]), features(pixels[reference])
    recognised = real_recognised = None
    if labels is not None and images.labels is not None and isinstance(features, Features):
        recognised = features.recognised(samples, labels)
        real_recognised = features.recognised(pixels[real], images.labels[real])
    index, distances = nearest_images(samples, pixels)
    _, real_distances = nearest_images(pixels[real], pixels, excluded=real)
    return Evaluation(
        count,
        len(reference),
        Scores.of(Comparison(of_samples, of_reference, distances, recognised)),
        Scores.of(Comparison(of_real, of_reference, real_distances, real_recognised)),
        features.kind,
        features.quality,
        index,
        distances,
    )
