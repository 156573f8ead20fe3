"""A single image or mask of a given shape."""

import torch
from diffkit_trainer import read_image, read_mask
from diffkit_trainer.pixels import image_to_tensor
from PIL import Image


def test_an_image_is_cropped_and_resized_to_a_shape(tmp_path):
    image = Image.new("RGB", (30, 10), "red")
    image.paste("blue", (10, 0, 20, 10))
    image.save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png", (3, 10, 30)).tolist() == image_to_tensor(image).tolist()
    centre = read_image(tmp_path / "a.png", (3, 5, 5))
    assert (centre[:, :, 1:4] == torch.tensor([0, 0, 255]).view(3, 1, 1)).all(), "the middle is kept; its edges are blurred"
    assert read_image(tmp_path / "a.png", (1, 4, 4)).shape == (1, 4, 4)


def test_a_mask_is_true_from_level_128(tmp_path):
    mask = Image.new("L", (4, 1))
    mask.putdata([0, 127, 128, 255])
    mask.save(tmp_path / "mask.png")
    assert read_mask(tmp_path / "mask.png", tmp_path / "mask.png", (1, 4)).tolist() == [[[False, False, True, True]]]
