"""Conversions between Pillow images and tensors, byte for byte and without NumPy."""

import ctypes

import torch
from PIL import Image
from torch import Tensor

__all__ = ["image_to_tensor", "raw_bytes", "tensor_to_image"]


def image_to_tensor(image: Image.Image) -> Tensor:
    """An image of 8 bits, such as L or RGB, as a uint8 tensor (C, H, W); of mode F as float32 (1, H, W).

    >>> image_to_tensor(Image.new("RGB", (2, 1), (1, 2, 3))).tolist()
    [[[1, 1]], [[2, 2]], [[3, 3]]]
    """
    dtype = torch.float32 if image.mode == "F" else torch.uint8
    flat = torch.frombuffer(bytearray(image.tobytes()), dtype=dtype)
    return flat.view(image.height, image.width, len(image.getbands())).permute(2, 0, 1)


def tensor_to_image(pixels: Tensor) -> Image.Image:
    """A uint8 tensor (1, H, W) or (3, H, W) as an image of mode L or RGB. Raises ValueError for other tensors.

    >>> tensor_to_image(torch.zeros(3, 4, 5, dtype=torch.uint8)).size
    (5, 4)
    """
    if pixels.dtype != torch.uint8 or pixels.ndim != 3 or pixels.shape[0] not in (1, 3) or not pixels.numel():
        found = f"{pixels.dtype} of shape {tuple(pixels.shape)}"
        raise ValueError(f"an image must be torch.uint8 of shape (1, H, W) or (3, H, W), got {found}")
    channels, height, width = pixels.shape
    mode = "L" if channels == 1 else "RGB"
    return Image.frombytes(mode, (width, height), bytes(raw_bytes(pixels.permute(1, 2, 0))))


def raw_bytes(tensor: Tensor) -> memoryview:
    r"""The tensor's bytes in row-major order and the machine's byte order, for reading. No copy if it is contiguous on the CPU.

    >>> bytes(raw_bytes(torch.tensor([[1, 2], [3, 4]], dtype=torch.uint8).T))
    b'\x01\x03\x02\x04'
    """
    tensor = tensor.detach().cpu().contiguous()
    buffer = (ctypes.c_ubyte * tensor.nbytes).from_address(tensor.data_ptr()) if tensor.nbytes else b""
    if tensor.nbytes:
        buffer.owner = tensor  # type: ignore[union-attr]  # keeps the tensor, and so the memory, alive
    return memoryview(buffer).cast("B")
