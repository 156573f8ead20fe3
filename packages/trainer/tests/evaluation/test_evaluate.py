"""Distances between sets of images, against closed forms, and what they say of copies and of noise."""

import pytest
import torch
from diffkit_trainer import DataError, Images, evaluate, features as learning, open_images, split_dataset
from diffkit_trainer.evaluation.distances import frechet_distance, kernel_distance, nearest
from diffkit_trainer.evaluation.features import learn_features
from torch.utils._python_dispatch import TorchDispatchMode


def gaussian(n, mean, spread, seed):
    z = torch.randn(n, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return mean + z @ spread


def test_the_frechet_distance_of_gaussians():
    one, other = torch.diag(torch.tensor([1.0, 2.0]).double()), torch.diag(torch.tensor([3.0, 1.0]).double())
    x, y = gaussian(200_000, 0.0, one, 0), gaussian(200_000, torch.tensor([1.0, 2.0]), other, 1)
    # 1 + 4 for the means; (1 - 3)^2 + (2 - 1)^2 for covariances that commute
    assert frechet_distance(x, y) == pytest.approx(10, rel=0.01)
    assert frechet_distance(x, x) == pytest.approx(0, abs=1e-9)


def test_the_kernel_distance_is_unbiased():
    unit = torch.eye(2).double()
    same = [kernel_distance(gaussian(40, 0.0, unit, k), gaussian(40, 0.0, unit, 1000 + k)) for k in range(300)]
    mean, error = torch.tensor(same).mean(), torch.tensor(same).std() / 300**0.5
    assert abs(mean) < 3 * error
    assert kernel_distance(gaussian(400, 0.0, unit, 0), gaussian(400, 1.0, unit, 1)) > 1


def test_the_nearest_of_others():
    others = torch.randint(0, 256, (1100, 1, 2, 2), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    index, distance = nearest(others[1050:1052], others)
    assert (index.tolist(), distance.tolist()) == ([1050, 1051], [0, 0])
    lighter = others[:1].clamp(max=250) + torch.tensor([0, 4], dtype=torch.uint8).view(1, 1, 1, 2)
    index, distance = nearest(lighter, others[:1].clamp(max=250))
    assert (index.item(), distance.item()) == (0, pytest.approx(8**0.5))
    _, apart = nearest(others[:3], others, but_equal_index=torch.arange(3))
    assert min(apart) > 0


class Largest(TorchDispatchMode):
    """The most bytes that a tensor of numbers had, 64 pixels wide."""

    nbytes = 0

    def __torch_dispatch__(self, function, types, arguments=(), named=None):
        result = function(*arguments, **(named or {}))
        if isinstance(result, torch.Tensor) and result.is_floating_point() and result.shape[-1:] == (64,):
            self.nbytes = max(self.nbytes, result.untyped_storage().nbytes())
        return result


def test_images_are_shrunk_a_part_at_a_time(monkeypatch):
    """Half of 2,000 images of 64 x 64 would be 16 MB as numbers."""
    monkeypatch.setattr(learning, "STEPS", 2)
    images = Images(torch.randint(256, (2000, 1, 64, 64), dtype=torch.uint8))
    with Largest() as largest:
        found = evaluate(images.pixels[:64], images, split_dataset(images))
    assert found.features == "autoencoder"
    assert 0 < largest.nbytes < 5e6


def test_what_is_seen_a_part_at_a_time_is_what_is_seen_at_once():
    pixels = torch.randint(256, (600, 3, 40, 33), dtype=torch.uint8)
    index = torch.randperm(600)[:520]
    at_once = torch.nn.functional.interpolate(pixels.float() / 127.5 - 1, (32, 26), mode="area")
    assert torch.equal(learning.seen(pixels), at_once)
    assert torch.equal(learning.seen(pixels, index), at_once[index])
    assert torch.equal(learning.seen(at_once), at_once)


def test_a_classifier_of_digits_knows_most_of_those_it_has_not_seen():
    images = open_images("digits")
    before = torch.random.get_rng_state()
    features = learn_features(images.pixels[:1200], images.labels[:1200], images.pixels[1200:], images.labels[1200:])
    assert torch.equal(torch.random.get_rng_state(), before)
    assert features.kind == "classifier"
    assert features.score > 0.9
    known = features(images.pixels[:1200])
    assert known.shape == (1200, 64)
    assert known.mean(0).abs().max() < 1e-9


def test_without_labels_it_learns_to_give_images_back():
    pixels = open_images("digits").pixels
    features = learn_features(pixels[:600], None, pixels[600:800], None)
    assert features.kind == "autoencoder"
    assert features.score > 0.5


def test_copies_noise_and_data():
    images = open_images("digits")
    parts = split_dataset(images)
    every = torch.cat([parts.learned, parts.one, parts.other])
    assert len(every) == len(every.unique()) >= 1796
    copies = evaluate(images.pixels[parts.learned[:200]], images, parts)
    noise = evaluate(torch.randint(0, 256, (200, 1, 8, 8), dtype=torch.uint8), images, parts)
    assert copies.samples.distances.max() == 0
    assert torch.equal(copies.nearest, parts.learned[:200])
    assert copies.real.distances.min() > 0
    assert copies.samples.fd < 2 * copies.real.fd
    assert noise.samples.fd > 5 * noise.real.fd
    assert noise.samples.kid > 10 * abs(noise.real.kid)
    assert noise.samples.distances.min() > noise.real.distances.max()


def test_too_few_images_are_refused():
    with pytest.raises(DataError, match="too few images to compare with, expected at least 40, found 39"):
        split_dataset(Images(torch.zeros(39, 1, 2, 2, dtype=torch.uint8)))
