"""Configs round-trip through JSON, refuse what they do not know, and never take memory for a bomb; presets."""

import json
import subprocess
import sys
import time

import pytest
import torch
from diffkit_unet import MAX_PARAMETERS, PRESETS, UNet, preset

SOME = {
    "in_channels": 4,
    "widths": [8, 4, 6],
    "block_depth": 3,
    "embedding": 6,
    "frequencies": [0.5, 20.0],
    "condition": "log_snr",
    "num_classes": 7,
    "out_channels": 8,
    "layout": "ddpm",
    "norms": 2,
    "norm": "group",
    "groups": 4,
    "eps": 1e-6,
    "level": "scale_shift",
    "dropout": 0.1,
    "attention": [0, 2],
    "middle_attention": True,
    "head_channels": 2,
    "down": "strided_same",
    "up": "nearest",
    "zero_init": True,
    "cosine_first": True,
    "null_class": False,
}


@pytest.mark.parametrize("config", [SOME, *PRESETS.values()])
def test_round_trip_through_json(config):
    torch.manual_seed(0)
    unet = UNet(**config)
    plain = json.loads(json.dumps(unet.to_config()))
    assert plain == unet.to_config()
    torch.manual_seed(0)
    again = UNet.from_config(plain)
    assert again.to_config() == plain
    ours, theirs = unet.state_dict(), again.state_dict()
    assert list(ours) == list(theirs)
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)  # counting first draws no random number


def test_a_config_says_every_parameter():
    assert UNet.from_config(SOME).to_config() == SOME
    assert UNet.from_config({"in_channels": 3}).to_config() == UNet(3).to_config()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"width": [8]}, r"no parameter 'width', did you mean 'widths'\? \(it has: in_channels, "),
        ({"zzz": 1}, r"no parameter 'zzz' \(it has"),
        ({"widths": 32}, "widths must be a list of 1 to 12 integers, got 32"),
        ({"widths": []}, "widths must be a list"),
        ({"widths": [8, 8.0]}, r"widths\[1\] must be an integer from 1 to 1048576, got 8.0"),
        ({"widths": [True]}, r"widths\[0\] must be an integer"),
        ({"in_channels": "3"}, "in_channels must be an integer .*, got '3'"),
        ({"in_channels": None}, "in_channels must be an integer"),
        ({"block_depth": 0}, "block_depth must be an integer from 1 to 16, got 0"),
        ({"embedding": 31}, "embedding must be even"),
        ({"frequencies": [1, "2"]}, "frequencies must be a list of two finite numbers"),
        ({"frequencies": [1]}, "frequencies must be a list of two"),
        ({"frequencies": [10**400, 1]}, "frequencies must be a list of two finite numbers"),
        ({"condition": "noise"}, "condition must be one of 'variance', 'sigma', .*; got 'noise'"),
        ({"num_classes": 0}, "num_classes must be an integer from 1"),
        ({"out_channels": -1}, "out_channels must be an integer from 1"),
    ],
)
def test_a_wrong_config_is_refused_in_one_line(change, message):
    with pytest.raises(ValueError, match=message) as caught:
        UNet.from_config(SOME | change)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("config", [None, [], "small", {}, {"widths": [8]}])
def test_what_is_no_config(config):
    with pytest.raises(ValueError, match="a network's config is a mapping with 'in_channels'"):
        UNet.from_config(config)


@pytest.mark.parametrize(
    "change",
    [
        {"widths": [10**9, 10**9]},
        {"widths": [10**30]},
        {"widths": [10**5] * 4},
        {"widths": [2**20] * 12, "block_depth": 16},
        {"widths": [8] * 10**6},
        {"block_depth": 10**9},
        {"in_channels": 10**9},
        {"embedding": 10**9},
        {"num_classes": 10**9},
    ],
)
def test_a_bomb_is_refused_at_once(change):
    start = time.process_time()
    with pytest.raises(ValueError, match=r"must be|asks for") as caught:
        UNet.from_config(SOME | change)
    assert time.process_time() - start < 5  # of this process alone; built whole, the least of them takes minutes
    assert len(str(caught.value)) < 200


def test_counting_does_not_wait_for_the_compiler():
    """Which arithmetic on the meta device would import, a second of every start."""
    code = f"""
import sys
from diffkit_unet import UNet
UNet.from_config({SOME})
sys.exit("torch._dynamo" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_count_has_a_limit():
    with pytest.raises(ValueError, match=rf"asks for [\d,]+ parameters, the most is {MAX_PARAMETERS:,}"):
        UNet.from_config({"in_channels": 3, "widths": [12_000]})


def test_presets():
    with torch.device("meta"):
        sizes = {name: sum(p.numel() for p in preset(name).parameters()) for name in PRESETS}
    assert sizes == {
        "tutorial": 1_950_627,
        "small": 517_283,
        "tiny": 411_715,
        "medium": 6_140_675,
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
