"""Networks through torch.export, with a batch of any size, and through torch.compile's tracing."""

import pytest
import torch
from diffkit_unet import UNet

CHOICES = {
    "tutorial": {},
    "ddpm": {
        "layout": "ddpm",
        "norms": 2,
        "norm": "group",
        "groups": 4,
        "level": "scale_shift",
        "attention": (1,),
        "middle_attention": True,
        "down": "strided_same",
        "up": "nearest",
    },
}


@pytest.mark.parametrize("name", CHOICES)
def test_export_with_a_dynamic_batch(name):
    torch.manual_seed(0)
    unet = UNet(3, widths=(8, 16), block_depth=1, embedding=8, num_classes=4, **CHOICES[name]).eval()
    torch.nn.init.normal_(unet.out.weight)
    example = (torch.randn(2, 3, 12, 10), torch.rand(2), torch.tensor([0, 4]))
    batch = {0: torch.export.Dim("batch", min=1, max=64)}
    program = torch.export.export(unet, example, dynamic_shapes=(batch, batch, batch)).module()
    for size in (2, 5):
        x, level, labels = torch.randn(size, 3, 12, 10), torch.rand(size), torch.randint(5, (size,))
        torch.testing.assert_close(program(x, level, labels), unet(x, level, labels))
