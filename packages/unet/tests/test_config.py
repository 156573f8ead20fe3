"""Configs: round trip through JSON, defaults, and refusal of every invalid value."""

import json

import pytest
import torch
from diffkit_unet import FREQUENCIES, PRESETS, UNet

CONFIG = {
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
    "patch": 2,
    "skips": "add",
    "ends": "tutorial",
    "dims": 3,
    "vectors": {"age": 2},
    "maps": {"low": 3, "mask": 1},
}


@pytest.mark.parametrize("config", [CONFIG, *PRESETS.values()])
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
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)  # counting parameters consumes no random number


def test_config_has_every_parameter():
    assert UNet.from_config(CONFIG).to_config() == CONFIG
    assert UNet.from_config({"in_channels": 3}).to_config() == UNet(3).to_config()


def test_condition_sets_the_default_frequencies():
    for condition, frequencies in FREQUENCIES.items():
        unet = UNet(3, condition=condition)
        assert (unet.embedding.first, unet.embedding.last) == frequencies
        assert unet.to_config()["frequencies"] == list(frequencies)
    assert UNet(3, condition="index", frequencies=(1, 2)).to_config()["frequencies"] == [1.0, 2.0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"width": [8]}, r"no parameter 'width', did you mean 'widths'\? \(parameters: in_channels, "),
        ({"zzz": 1}, r"no parameter 'zzz' \(parameters"),
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
        ({"dims": 4}, "dims must be one of 1, 2, 3; got 4"),
        ({"vectors": ["age"]}, r"vectors must map names of conditions to integers, got \['age'\]"),
        ({"vectors": {"age": 0}}, r"vectors\['age'\] must be an integer from 1 to 1048576, got 0"),
        ({"maps": {"x": 3}}, "maps: a condition cannot be called 'x', as another argument of the network is"),
        ({"maps": {"age": 3}}, "a condition is a vector or a map, not both: 'age'"),
        ({"num_classes": 0}, "num_classes must be an integer from 1"),
        ({"out_channels": -1}, "out_channels must be an integer from 1"),
    ],
)
def test_invalid_config_is_refused_in_one_line(change, message):
    with pytest.raises(ValueError, match=message) as caught:
        UNet.from_config(CONFIG | change)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"norms": True}, "norms must be one of 1, 2; got True"),
        ({"norm": "rms"}, "norm must be one of 'batch', 'group', 'layer'; got 'rms'"),
        ({"skips": "sum"}, "skips must be one of 'concatenate', 'add'; got 'sum'"),
        ({"patch": 0}, "patch must be an integer from 1 to 64, got 0"),
        ({"level": None}, "level must be one of 'map', 'add', 'scale_shift'; got None"),
        ({"dropout": 1}, "dropout must be a number from 0 to below 1, got 1"),
        ({"eps": float("nan")}, "eps must be a number from 0 to below 1, got nan"),
        ({"zero_init": 1}, "zero_init must be true or false, got 1"),
        ({"attention": [3]}, r"attention\[0\] must be an integer from 0 to 2, got 3"),
        ({"attention": 1}, "attention must be a list of 0 to 3 integers, got 1"),
        ({"widths": [8], "attention": [0]}, "attention must be a list of 0 to 0 integers"),
        ({"attention": [0], "head_channels": 5}, "head_channels must divide the width of every level .*, got 5 and 32"),
        ({"head_channels": 0}, "head_channels must be an integer from 1"),
        ({"groups": 0}, "groups must be an integer from 1"),
    ],
)
def test_invalid_parameter_is_refused(choices, message):
    with pytest.raises(ValueError, match=message):
        UNet(3, **choices)
