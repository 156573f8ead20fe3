"""The cosine transform against its formula, and its inverse."""

import math

import pytest
import torch
from diffkit_unet.cosine_transform import dct, idct


def cosines(n):
    rows = [[math.cos(math.pi * k * (i + 0.5) / n) * math.sqrt((2 if k else 1) / n) for i in range(n)] for k in range(n)]
    return torch.tensor(rows, dtype=torch.float64)


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (8, 5), (64, 64)])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 3e-6), (torch.float64, 1e-13)])
def test_closed_form(size, dtype, tolerance):
    torch.manual_seed(0)
    x = torch.randn(2, 3, *size, dtype=torch.float64)
    expected = cosines(size[0]) @ x @ cosines(size[1]).T
    assert dct(x.to(dtype)).dtype == dtype
    assert (dct(x.to(dtype)) - expected).abs().max() < tolerance
    assert (idct(expected.to(dtype)) - x).abs().max() < tolerance


def test_power_is_kept():
    x = torch.randn(4, 1, 9, 12, dtype=torch.float64)
    torch.testing.assert_close(dct(x).square().sum(), x.square().sum())
