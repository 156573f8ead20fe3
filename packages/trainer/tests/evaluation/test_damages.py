"""Damage by known amounts, and that scores rise with it."""

import pytest
import torch
from diffkit_trainer import open_images, split_dataset
from diffkit_trainer.evaluation.damages import CHECKERS, CONTRAST, DAMAGES, NOISE, TINT, damaged
from diffkit_trainer.evaluation.distances import frechet_distance, kernel_distance
from diffkit_trainer.evaluation.evaluate import learned_features

AMOUNT = torch.tensor([0.0, 0.5, 1.0]).view(3, 1, 1, 1)


def draw() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    return torch.rand((3, 3, 64, 64), generator=draw()) * 2 - 1


@pytest.mark.parametrize("name", DAMAGES)
def test_no_amount_is_no_damage(name, images):
    assert torch.equal(DAMAGES[name](images, torch.zeros(3, 1, 1, 1), draw()), images)


def test_damages_are_of_the_amount_given(images):
    done = {name: damage(images, AMOUNT, draw()) - images for name, damage in DAMAGES.items()}
    found = {name: each.square().mean((1, 2, 3)).sqrt() for name, each in done.items()}
    amount, close = AMOUNT.flatten(), {"rtol": 1e-5, "atol": 1e-6}
    torch.testing.assert_close(found["noise"], NOISE * amount, rtol=0.02, atol=1e-6)
    torch.testing.assert_close(found["tint"], TINT * amount, **close)
    torch.testing.assert_close(found["checkers"], CHECKERS * amount, **close)
    torch.testing.assert_close(found["contrast"], CONTRAST * amount * images.std((1, 2, 3), correction=0), **close)
    torch.testing.assert_close(done["mix"], 0.5 * AMOUNT * (images.roll(1, 0) - images), **close)
    assert done["checkers"].sum().abs() < 1e-2
    assert done["checkers"][2, 0, 0, 0] == -done["checkers"][2, 0, 0, 1] == -done["checkers"][2, 0, 1, 0]


def test_a_blur_is_a_filter_of_variance_one():
    point = torch.zeros(1, 1, 9, 9)
    point[0, 0, 4, 4] = 1
    row = DAMAGES["blur"](point, torch.ones(1, 1, 1, 1), draw()).sum((0, 1, 2))
    offset = torch.arange(9) - 4.0
    assert (float(row.sum()), float((row * offset).sum()), float((row * offset.square()).sum())) == (1, 0, 1)


def test_the_second_half_is_damaged_by_the_amounts_told():
    x = torch.rand((400, 1, 8, 8), generator=draw())
    found, amounts = damaged(x, draw())
    assert torch.equal(found[:200], x[:200])
    assert not amounts[:200].any()
    same = (found == x).flatten(1).all(1)
    assert torch.equal(same, ~amounts.any(1))
    assert 0.2 < (amounts[200:] > 0).double().mean() < 0.4
    again, _ = damaged(x, draw())
    assert torch.equal(found, again)


@pytest.fixture(scope="module")
def judged():
    digits = open_images("digits")
    split = split_dataset(digits)
    features = learned_features(digits, split)
    reference = features(digits.pixels[split.reference])

    def scores(name: str, amount: float) -> tuple[float, float]:
        x = digits.pixels[split.real].float() / 127.5 - 1
        x = DAMAGES[name](x, torch.full((len(x), 1, 1, 1), amount), draw())
        found = features(((x + 1) * 127.5).round().clamp(0, 255).to(torch.uint8))
        return kernel_distance(found, reference), frechet_distance(found, reference)

    return scores


@pytest.mark.parametrize("name", DAMAGES)
def test_scores_rise_with_damage(name, judged):
    (kid, fd), (more_kid, more_fd), (most_kid, most_fd) = (judged(name, amount) for amount in (0.0, 0.5, 1.0))
    assert kid < more_kid < most_kid
    assert fd < more_fd < most_fd
    assert most_fd > 1.4 * fd
