"""Conversion of diffusers' configs and weights without that library: round trip and refusals."""

import json

import pytest
import torch
from diffkit_unet import UNet, from_diffusers, preset, to_diffusers

SMALL = {"widths": (32, 64), "embedding": 32, "attention": (1,)}


def exported(**choices):
    torch.manual_seed(0)
    return to_diffusers(preset("ddpm-cifar10", **(SMALL | choices)))


def test_round_trip():
    config, weights = exported()
    again = to_diffusers(from_diffusers(json.loads(json.dumps(config)), weights))
    assert again[0] == config
    assert again[1].keys() == weights.keys()
    assert all(torch.equal(again[1][key], weights[key]) for key in weights)


def test_attention_names_of_old_weights():
    config, weights = exported()
    old = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    renamed = {}
    for key, value in weights.items():
        for now, before in old.items():
            key = key.replace(f".{now}.", f".{before}.")
        renamed[key] = value
    assert renamed.keys() != weights.keys()
    ours = from_diffusers(config, renamed).state_dict()
    assert all(torch.equal(value, ours[key]) for key, value in from_diffusers(config, weights).state_dict().items())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"down_block_types": ["DownBlock2D", "SkipDownBlock2D"]}, "down_block_types must be 'DownBlock2D' or 'AttnDownBlock2D'"),
        ({"up_block_types": ["UpBlock2D", "UpBlock2D"]}, "up_block_types must mirror down_block_types"),
        ({"down_block_types": ["DownBlock2D"]}, "up_block_types must mirror down_block_types"),
        ({"time_embedding_type": "fourier"}, "time_embedding_type must be 'positional' for this conversion, got 'fourier'"),
        ({"downsample_padding": 2}, "downsample_padding must be 1 or 0 for this conversion, got 2"),
        ({"center_input_sample": True}, "center_input_sample must be False for this conversion, got True"),
        ({"resnet_time_scale_shift": "spatial"}, "resnet_time_scale_shift must be 'default' or 'scale_shift'"),
        (
            {"resnet_time_scale_shift": "scale_shift", "attn_norm_num_groups": None},
            "attn_norm_num_groups must be 32 for this conversion, got None",
        ),
        ({"class_embed_type": "timestep"}, "class_embed_type must be None for this conversion"),
        ({"mid_block_type": None}, "mid_block_type must be 'UNetMidBlock2D'"),
        ({"time_embedding_dim": 77}, "time_embedding_dim must be None or 128 for this conversion, got 77"),
        ({"_class_name": "UNet2DConditionModel"}, "_class_name must be 'UNet2DModel'"),
        ({"cross_attention_dim": 768}, "cross_attention_dim cannot be converted, got 768"),
        ({"attention_head_dim": 7}, "head_channels must divide the width"),
        ({"block_out_channels": [32, 10**9]}, r"block_out_channels\[1\] must be an integer"),
        ({"block_out_channels": None}, "block_out_channels must be a list"),
    ],
)
def test_config_that_cannot_be_converted_is_named(change, message):
    config, weights = exported()
    with pytest.raises(ValueError, match=message):
        from_diffusers(config | change, weights)


def test_weights_that_do_not_match_the_config_are_named():
    config, weights = exported()
    with pytest.raises(ValueError, match=r"the weights have no 'conv_in\.weight'"):
        from_diffusers(config, {key: value for key, value in weights.items() if key != "conv_in.weight"})
    with pytest.raises(ValueError, match=r"1 tensors that this config does not use, such as 'stray'"):
        from_diffusers(config, weights | {"stray": torch.zeros(1)})
    with pytest.raises(ValueError, match=r"'conv_in\.bias' must be \(32,\) for this config, got \(31,\)"):
        from_diffusers(config, weights | {"conv_in.bias": torch.zeros(31)})


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"condition": "time"}, "condition must be 'index' for this conversion, got 'time'"),
        ({"norm": "batch"}, "norm must be 'group' for this conversion, got 'batch'"),
        ({"patch": 2}, "patch must be 1 for this conversion, got 2"),
        ({"skips": "add"}, "skips must be 'concatenate' for this conversion, got 'add'"),
        ({"level": "map"}, "level must be 'add' or 'scale_shift' for this conversion"),
        ({"down": "average"}, "down must be 'strided' or 'strided_same' for this conversion"),
        ({"embedding": 30}, "embedding must be 32 for this conversion, got 30"),
        ({"frequencies": (1, 2)}, "frequencies must be .* for diffusers"),
        ({"widths": (48, 64), "embedding": 48}, "groups=32 must divide the 48 channels of 'down.0.blocks.0.norm'"),
    ],
)
def test_network_that_cannot_be_converted_is_named(choices, message):
    with pytest.raises(ValueError, match=message):
        exported(**choices)
    with pytest.raises(ValueError, match="layout must be 'ddpm'"):
        to_diffusers(UNet(3, condition="index"))
