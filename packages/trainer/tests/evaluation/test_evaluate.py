"""Scores of copies, noise and real images."""

import pytest
import torch
from diffkit_trainer import DataError, Images, evaluate, held_out, learned_features, open_images, split_dataset


@pytest.fixture(scope="module")
def features():
    """Features of the digits."""
    images = open_images("digits")
    return learned_features(images, split_dataset(images))


def test_scores_tell_copies_noise_and_real_images_apart(features):
    images = open_images("digits")
    split = split_dataset(images)
    every = torch.cat([split.training, split.reference, split.real])
    assert len(every) == len(every.unique()) >= 1796
    copies = evaluate(images.pixels[split.training[:200]], images, split, features=features)
    noise = evaluate(torch.randint(0, 256, (200, 1, 8, 8), dtype=torch.uint8), images, split, features=features)
    assert copies.distances.max() == 0
    assert torch.equal(copies.nearest, split.training[:200])
    assert copies.samples["nearest_median"] == 0
    assert copies.real["nearest_smallest"] > 0
    assert copies.samples["fd"] < 2 * copies.real["fd"]
    assert noise.samples["fd"] > 5 * noise.real["fd"]
    assert noise.samples["kid"] > 10 * abs(noise.real["kid"])
    assert noise.samples["nearest_smallest"] == noise.distances.min() > noise.real["nearest_median"]


def test_samples_of_a_class_are_compared_with_images_of_it(features):
    images = open_images("digits")
    split = split_dataset(images)
    threes = split.of_classes(images, [3])
    assert set(images.labels[threes.reference].tolist()) == set(images.labels[threes.real].tolist()) == {3}
    every = evaluate(images.pixels[threes.reference], images, split, features=features)
    of_class = evaluate(images.pixels[threes.reference], images, split, classes=[3])
    assert of_class.feature_quality == features.quality, "the features are learned from all classes"
    assert of_class.samples["fd"] == pytest.approx(0, abs=1e-6)
    assert every.samples["fd"] > 2 * of_class.real["fd"] > 0
    with pytest.raises(ValueError, match="images has no classes"):
        split.of_classes(Images(images.pixels), [3])


def test_too_few_images_are_refused():
    with pytest.raises(DataError, match="too few images to compare with, expected at least 40, found 39"):
        split_dataset(Images(torch.zeros(39, 1, 2, 2, dtype=torch.uint8)))


def test_held_out_images_are_the_reference_where_they_are_200(features):
    images = open_images("digits")
    apart = held_out(images, 0.2)
    split = split_dataset(images, fraction=0.2)
    assert split.held_out
    assert torch.equal(split.reference.sort().values, apart.nonzero()[:, 0])
    assert len(torch.cat([split.training, split.real]).unique()) == len(images) - len(split.reference)
    found = evaluate(images.pixels[split.real[:500]], images, split, features=features)
    assert (found.images, found.reference) == (500, len(split.reference))
    assert found.samples["fd"] == pytest.approx(found.real["fd"])
    assert not split_dataset(images, fraction=0.1).held_out, "172 of 1,797 images"


def test_the_share_that_is_recognised_is_that_of_the_class_asked_for(features):
    images = open_images("digits")
    split = split_dataset(images)
    real, asked = images.pixels[split.reference[:300]], images.labels[split.reference[:300]]
    right, shifted = (evaluate(real, images, split, features=features, labels=labels) for labels in (asked, (asked + 1) % 10))
    assert right.samples["recognised"] == pytest.approx(right.feature_quality, abs=0.03)
    assert right.feature_quality > 0.9
    assert right.real["recognised"] == shifted.real["recognised"] > 0.9
    assert shifted.samples["recognised"] < 0.05
    assert "recognised" not in evaluate(real, images, split, features=features).samples
    unlabelled = Images(images.pixels)
    assert "recognised" not in evaluate(real, unlabelled, split, features=features, labels=asked).samples
