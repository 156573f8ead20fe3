"""Features of a network in a file: its input, its output, and scores by them."""

from pathlib import Path

import pytest
import torch
from diffkit_trainer import evaluate, load_feature_network, open_images, split_dataset
from diffkit_trainer.evaluation.distances import frechet_distance

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch.jit's own


class Means(torch.nn.Module):
    """Two features of a colour image: the means of its first and its last channel."""

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return pixels.double().mean(dim=(2, 3))[:, 0:3:2]


class Inception(torch.nn.Module):
    """With the signature of the common file of Inception-v3: logits, or features (N, D, 1, 1) with return_features."""

    def forward(self, pixels: torch.Tensor, return_features: bool = False) -> torch.Tensor:
        assert pixels.dtype == torch.uint8
        features = pixels.double().mean(dim=(2, 3), keepdim=True)
        return features if return_features else features.flatten(1)[:, :1]


class Constant(torch.nn.Module):
    def __init__(self, rows: int, value: float) -> None:
        super().__init__()
        self.rows, self.value = rows, value

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return torch.full((self.rows, 2), self.value)


def script(module, path):
    torch.jit.script(module).save(str(path))
    return path


def test_torchscript_features_equal_the_network_s_output(tmp_path):
    features = load_feature_network(script(Means(), tmp_path / "means.pt"))
    pixels = torch.randint(0, 256, (70, 3, 4, 5), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    assert torch.equal(features(pixels), pixels.double().mean(dim=(2, 3))[:, 0:3:2])
    assert torch.equal(features(pixels[:, :1]), pixels[:, :1].double().mean(dim=(2, 3)).expand(-1, 2)), (
        "grey is repeated to three channels"
    )
    assert (features.kind, features.quality) == ("means.pt", None)


def test_features_of_inception_are_requested(tmp_path):
    features = load_feature_network(script(Inception(), tmp_path / "inception.pt"))
    assert features(torch.full((2, 1, 4, 4), 7, dtype=torch.uint8)).tolist() == [[7.0] * 3] * 2


def test_evaluate_uses_given_features(tmp_path):
    images = open_images("digits")
    split = split_dataset(images)
    given = load_feature_network(script(Means(), tmp_path / "means.pt"))
    found = evaluate(images.pixels[split.real[:100]], images, split, features=given)
    expected = frechet_distance(*(given(images.pixels[part[:100]]) for part in (split.real, split.reference)))
    assert found.samples["fd"] == found.real["fd"] == expected
    assert (found.features, found.feature_quality) == ("means.pt", None)


@pytest.mark.parametrize(
    ("name", "module", "message"),
    [
        ("rows.pt", Constant(1, 0.0), "rows.pt: expected finite numbers, one row for each of 2 images, found an array (1, 2)"),
        ("nan.pt", Constant(2, float("nan")), "found an array (2, 2) with infinities or NaN"),
        ("conv.pt", torch.nn.Conv2d(1, 2, 3), "conv.pt: gives no features (N, D) for uint8 images (2, 3, 4, 4) ("),
    ],
)
def test_other_outputs_are_refused(tmp_path, name, module, message):
    features = load_feature_network(script(module, tmp_path / name))
    with pytest.raises(ValueError) as caught:
        features(torch.zeros(2, 3, 4, 4, dtype=torch.uint8))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_other_files_are_refused(tmp_path):
    (tmp_path / "text.pt").write_text("no network")
    with pytest.raises(ValueError, match=r"text\.pt: cannot be read as TorchScript \(.*\)$"):
        load_feature_network(tmp_path / "text.pt")
    with pytest.raises(ValueError, match=r"none\.onnx: no such file"):
        load_feature_network(tmp_path / "none.onnx")
    with pytest.raises(ValueError, match=r"inception must be a \.pt file \(TorchScript\) or \.onnx"):
        load_feature_network(Path("inception"))
