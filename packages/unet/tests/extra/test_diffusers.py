"""Converted networks against diffusers: outputs, gradients, and the conversion back."""

import pytest
import torch
from diffkit_unet import from_diffusers, preset, to_diffusers
from diffusers import UNet2DModel

SHAPE_KEYS = ("sample_size", "_diffusers_version")

# config.json of google/ddpm-cifar10-32
CIFAR10 = {
    "_class_name": "UNet2DModel",
    "_diffusers_version": "0.0.4",
    "act_fn": "silu",
    "attention_head_dim": None,
    "block_out_channels": [128, 256, 256, 256],
    "center_input_sample": False,
    "down_block_types": ["DownBlock2D", "AttnDownBlock2D", "DownBlock2D", "DownBlock2D"],
    "downsample_padding": 0,
    "flip_sin_to_cos": False,
    "freq_shift": 1,
    "in_channels": 3,
    "layers_per_block": 2,
    "mid_block_scale_factor": 1,
    "norm_eps": 1e-06,
    "norm_num_groups": 32,
    "out_channels": 3,
    "sample_size": 32,
    "time_embedding_type": "positional",
    "up_block_types": ["UpBlock2D", "UpBlock2D", "AttnUpBlock2D", "UpBlock2D"],
}

DOWN6 = ["DownBlock2D"] * 4 + ["AttnDownBlock2D", "DownBlock2D"]
UP6 = ["UpBlock2D", "AttnUpBlock2D"] + ["UpBlock2D"] * 4

CONFIGS = {
    "ddpm-cifar10-32": CIFAR10,
    # google/ddpm-celebahq-256 with a quarter of the channels
    "ddpm-celebahq-256": CIFAR10
    | {"block_out_channels": [32, 32, 64, 64, 128, 128], "sample_size": 64, "down_block_types": DOWN6, "up_block_types": UP6},
    # the unconditional training example with a quarter of the channels; all other keys have the library's defaults
    "unconditional": {
        "sample_size": 64,
        "in_channels": 3,
        "out_channels": 3,
        "layers_per_block": 2,
        "block_out_channels": [32, 32, 64, 64, 128, 128],
        "down_block_types": DOWN6,
        "up_block_types": UP6,
    },
    "classes and scale-shift": {
        "sample_size": 16,
        "block_out_channels": [16, 48],
        "down_block_types": ["AttnDownBlock2D", "DownBlock2D"],
        "up_block_types": ["UpBlock2D", "AttnUpBlock2D"],
        "layers_per_block": 1,
        "norm_num_groups": 8,
        "attn_norm_num_groups": 8,
        "attention_head_dim": 4,
        "resnet_time_scale_shift": "scale_shift",
        "num_class_embeds": 11,
        "out_channels": 6,
    },
    "odd widths": {
        "sample_size": 12,
        "in_channels": 1,
        "out_channels": 2,
        "block_out_channels": [15, 25, 35],
        "down_block_types": ["DownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D"],
        "up_block_types": ["AttnUpBlock2D", "AttnUpBlock2D", "UpBlock2D"],
        "norm_num_groups": 5,
        "attention_head_dim": 5,
        "freq_shift": 1,
        "add_attention": False,
    },
}


def theirs(name):
    """The diffusers network with random weights and biases."""
    torch.manual_seed(0)
    network = UNet2DModel(**{key: value for key, value in CONFIGS[name].items() if not key.startswith("_")})
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim == 1:
                parameter.add_(0.1 * torch.randn_like(parameter))
    return network.eval()


def example(network):
    config = network.config
    x = torch.randn(2, config.in_channels, config.sample_size, config.sample_size)
    labels = None if config.num_class_embeds is None else torch.tensor([0, config.num_class_embeds - 1])
    return x, torch.tensor([3, 871]), labels


@pytest.mark.parametrize("name", CONFIGS)
def test_outputs_and_gradients_equal_those_of_diffusers(name):
    them = theirs(name)
    us = from_diffusers(dict(them.config), them.state_dict()).eval()
    x, index, labels = example(them)
    expected, got = them(x, index, labels).sample, us(x, index, labels)
    assert expected.std() > 0.1
    assert (got - expected).abs().max() < 1e-5
    weight = torch.randn_like(expected)
    (expected * weight).mean().backward()
    (got * weight).mean().backward()
    gradients = {key: parameter.grad for key, parameter in them.named_parameters()}
    for parameter in us.parameters():
        parameter.data = parameter.grad
    _, ours = to_diffusers(us)
    for key, gradient in gradients.items():
        torch.testing.assert_close(ours[key], gradient, rtol=1e-4, atol=1e-5 * gradient.abs().max().item() + 1e-8, msg=key)


@pytest.mark.parametrize("name", CONFIGS)
def test_round_trip(name):
    them = theirs(name)
    config, weights = to_diffusers(from_diffusers(dict(them.config), them.state_dict()))
    again = UNet2DModel.from_config(config).eval()
    again.load_state_dict(weights)
    x, index, labels = example(them)
    assert torch.equal(again(x, index, labels).sample, them(x, index, labels).sample)


@pytest.mark.parametrize("name", ["ddpm-cifar10", "ddpm-64"])
def test_presets_converted_to_diffusers(name):
    torch.manual_seed(0)
    us = preset(name, num_classes=3, widths=(32, 64, 64), embedding=32, out_channels=6).eval()
    torch.nn.init.normal_(us.out.weight)
    config, weights = to_diffusers(us)
    them = UNet2DModel.from_config(config).eval()
    them.load_state_dict(weights)
    x, index = torch.randn(2, 3, 16, 16), torch.tensor([3, 871])
    expected = us(x, index)
    none = torch.full((2,), 3)
    assert (them(x, index, none).sample - expected).abs().max() < 1e-5 * expected.abs().max()
