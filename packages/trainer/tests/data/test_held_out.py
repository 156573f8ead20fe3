"""Which images are held out: by the hash of each image alone."""

import torch
from diffkit_trainer import Images, held_out, open_images


def test_an_image_stays_in_its_part_when_others_are_added_or_moved():
    digits = open_images("digits")
    part = held_out(digits, 0.2)
    order = torch.randperm(len(digits), generator=torch.Generator().manual_seed(0))
    assert torch.equal(held_out(Images(digits.pixels[order]), 0.2), part[order])
    assert torch.equal(held_out(Images(digits.pixels[:500]), 0.2), part[:500])
    assert not (held_out(digits, 0.1) & ~part).any(), "a smaller fraction holds out some of a larger one's"


def test_equal_images_are_in_the_same_part():
    digits = open_images("digits").pixels
    part = held_out(Images(torch.cat([digits, digits])), 0.5)
    assert torch.equal(part[: len(digits)], part[len(digits) :])


def test_the_share_is_the_fraction_within_the_spread_of_a_hash():
    noise = torch.randint(0, 256, (4000, 1, 4, 4), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    for fraction in (0.05, 0.3, 0.9):
        share = held_out(Images(noise), fraction).double().mean()
        assert abs(share - fraction) < 4 * (fraction * (1 - fraction) / 4000) ** 0.5
        of_floats = held_out(Images(noise.float()), fraction).double().mean()
        assert abs(of_floats - fraction) < 4 * (fraction * (1 - fraction) / 4000) ** 0.5
