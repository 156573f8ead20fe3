"""Presets: sizes, overrides, initial weights, and names without torch."""

import subprocess
import sys

import pytest
import torch
from diffkit_unet import PRESETS, preset


def test_parameter_counts_and_overrides():
    with torch.device("meta"):
        sizes = {name: sum(p.numel() for p in preset(name).parameters()) for name in PRESETS}
    assert sizes == {
        "tutorial": 1_950_627,
        "small": 517_283,
        "tiny": 411_715,
        "medium": 6_140_675,
        "images-16": 1_123_852,
        "images-32": 1_123_852,
        "images-32-small": 862_252,
        "images-64": 3_228_876,
        "ddpm-cifar10": 35_746_307,
        "ddpm-64": 78_700_803,
    }
    assert (
        preset("small", in_channels=1, num_classes=10).to_config() | {"num_classes": None}
        == preset("small", in_channels=1).to_config()
    )
    with pytest.raises(ValueError, match=r"preset must be one of 'tutorial', 'small', .*; got 'smal'"):
        preset("smal")
    with pytest.raises(ValueError, match="did you mean 'in_channels'"):
        preset("small", channels=1, in_channel=1)


@pytest.mark.parametrize(
    ("name", "sums"), [("tutorial", [18.875, 3019.2644, 467.0661]), ("small", [18.875, 2171.3008, 469.6135])]
)
def test_initial_weights_of_a_seed_do_not_change(name, sums):
    torch.manual_seed(0)
    unet = preset(name)
    layers = unet.image, unet.middle[0].conv1, unet.up[-1].blocks[-1].conv2
    assert [layer.weight.detach().double().abs().sum().item() for layer in layers] == pytest.approx(sums, abs=1e-3)


def test_names_and_configs_need_no_torch():
    code = """
import sys
from diffkit_unet import CONDITIONS, PRESETS
sys.exit("torch" in sys.modules or "tutorial" not in PRESETS or "variance" not in CONDITIONS)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
