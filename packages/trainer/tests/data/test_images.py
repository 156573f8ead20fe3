"""`Images`: statistics, fingerprint and checks."""

import pytest
import torch
from diffkit_trainer import Images


def test_statistics_in_closed_form():
    pixels = torch.zeros(2, 3, 2, 2, dtype=torch.uint8)
    pixels[0, 0], pixels[:, 1] = 255, 51
    mean, std = Images(pixels).statistics()
    assert mean == pytest.approx((0.5, 0.2, 0.0), abs=1e-15)
    assert std == (0.5, 1.0, 1.0)


def test_statistics_over_many_chunks_equal_torch():
    pixels = torch.randint(0, 256, (40, 3, 512, 512), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    mean, std = Images(pixels).statistics()
    for channel in range(3):
        values = pixels[:, channel].double() / 255
        assert mean[channel] == pytest.approx(float(values.mean()), rel=1e-12)
        assert std[channel] == pytest.approx(float(values.std(correction=0)), rel=1e-10)


def test_fingerprint_depends_on_shape_pixels_labels_and_classes():
    pixels = torch.arange(24, dtype=torch.uint8).view(2, 1, 3, 4)
    labels = torch.tensor([0, 1])
    equal = [Images(pixels, labels, ("a", "b")), Images(pixels.clone(), labels.clone(), ("a", "b"), "another name")]
    others = [
        Images(pixels),
        Images(pixels, labels, ("a", "c")),
        Images(pixels, labels.flip(0), ("a", "b")),
        Images(pixels.flip(0), labels, ("a", "b")),
        Images(pixels.view(2, 1, 4, 3), labels, ("a", "b")),
    ]
    assert equal[0].fingerprint == equal[1].fingerprint
    assert len({images.fingerprint for images in [equal[0], *others]}) == 6


@pytest.mark.parametrize(
    ("pixels", "labels", "classes"),
    [
        (torch.zeros(2, 1, 3, 3, dtype=torch.bool), None, ()),
        (torch.zeros(0, 1, 3, 3, dtype=torch.uint8), None, ()),
        (torch.zeros(3, 3, dtype=torch.uint8), None, ()),
        (torch.zeros(2, 1, 3, 3, dtype=torch.uint8), torch.tensor([0]), ("a",)),
        (torch.zeros(2, 1, 3, 3, dtype=torch.uint8), torch.tensor([0.0, 1.0]), ("a", "b")),
        (torch.zeros(2, 1, 3, 3, dtype=torch.uint8), torch.tensor([0, 1]), ("a",)),
    ],
)
def test_other_pixels_and_labels_are_refused(pixels, labels, classes):
    with pytest.raises(ValueError, match="must be"):
        Images(pixels, labels, classes)


def test_conditions_are_part_of_the_fingerprint():
    pixels = torch.zeros(2, 1, 3, 3, dtype=torch.uint8)
    ages = torch.tensor([[3.0], [4.0]])
    given = [{}, {"age": ages}, {"years": ages}, {"age": ages.flip(0)}, {"age": ages.double()}, {"age": ages, "given": pixels}]
    assert len({Images(pixels, conditions=each).fingerprint for each in given}) == len(given)
    one, other = ({"age": ages, "given": pixels}, {"given": pixels.clone(), "age": ages.clone()})
    assert Images(pixels, conditions=one).fingerprint == Images(pixels, conditions=other).fingerprint


@pytest.mark.parametrize("condition", [torch.zeros(3), torch.zeros(2, 0), torch.zeros(2, dtype=torch.bool), torch.tensor(1.0)])
def test_a_condition_that_is_not_one_value_for_each_sample_is_refused(condition):
    with pytest.raises(ValueError, match=r"condition 'age' must be real numbers of shape \(2, ...\)"):
        Images(torch.zeros(2, 1, 3, 3), conditions={"age": condition})
