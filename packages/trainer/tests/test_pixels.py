"""Images to tensors and bytes, and back."""

import torch
from diffkit_trainer.pixels import raw_bytes, tensor_to_image


def test_raw_bytes_are_row_major_for_any_strides():
    pixels = torch.arange(24, dtype=torch.uint8).view(2, 3, 4)
    assert bytes(raw_bytes(pixels.permute(2, 0, 1))) == bytes(pixels.permute(2, 0, 1).flatten().tolist())
    assert bytes(raw_bytes(pixels[:0])) == b""
    assert tensor_to_image(pixels[:1]).tobytes() == bytes(range(12))
