"""Features that a small network learns from the data."""

import torch
from diffkit_trainer import Images, evaluate, open_images, split_dataset
from diffkit_trainer.evaluation import features as learning
from diffkit_trainer.evaluation.features import learn_features, to_input
from torch.utils._python_dispatch import TorchDispatchMode


class Largest(TorchDispatchMode):
    """Records the bytes of the largest floating-point tensor that is 64 pixels wide."""

    nbytes = 0

    def __torch_dispatch__(self, function, types, arguments=(), named=None):
        result = function(*arguments, **(named or {}))
        if isinstance(result, torch.Tensor) and result.is_floating_point() and result.shape[-1:] == (64,):
            self.nbytes = max(self.nbytes, result.untyped_storage().nbytes())
        return result


def test_images_are_converted_in_chunks(monkeypatch):
    """Half of 2,000 images of 64 x 64 would take 16 MB in float32."""
    monkeypatch.setattr(learning, "MIN_STEPS", 2)
    monkeypatch.setattr(learning, "MAX_STEPS", 2)
    images = Images(torch.randint(256, (2000, 1, 64, 64), dtype=torch.uint8))
    with Largest() as largest:
        result = evaluate(images.pixels[:64], images, split_dataset(images))
    assert result.features == "autoencoder"
    assert 0 < largest.nbytes < 5e6


def test_input_in_chunks_equals_input_at_once():
    pixels = torch.randint(256, (600, 3, 40, 33), dtype=torch.uint8)
    index = torch.randperm(600)[:520]
    at_once = torch.nn.functional.interpolate(pixels.float() / 127.5 - 1, (32, 26), mode="area")
    assert torch.equal(to_input(pixels), at_once)
    assert torch.equal(to_input(pixels, index), at_once[index])
    assert torch.equal(to_input(at_once), at_once)


def test_the_classifier_generalises_to_other_digits():
    images = open_images("digits")
    before = torch.random.get_rng_state()
    features = learn_features(images.pixels[:1200], images.labels[:1200], images.pixels[1200:], images.labels[1200:])
    assert torch.equal(torch.random.get_rng_state(), before)
    assert features.kind == "classifier"
    assert features.quality > 0.9
    values = features(images.pixels[:1200])
    assert values.shape == (1200, 64)
    assert values.mean(0).abs().max() < 1e-9


def test_the_autoencoder_reconstructs_images_without_labels():
    pixels = open_images("digits").pixels
    features = learn_features(pixels[:600], None, pixels[600:800], None)
    assert features.kind == "autoencoder"
    assert features.quality > 0.5
