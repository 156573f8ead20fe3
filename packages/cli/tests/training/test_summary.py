"""The line about a new training run, and the warning of many epochs."""

import pytest
from diffkit_cli.training.start.resolve import resolve
from diffkit_cli.training.summary import print_summary
from diffkit_trainer import Capabilities
from msgspec.structs import replace

CPU = Capabilities("cpu")


def printed(capsys, images, *, chosen=False, device=CPU, **changes):
    print_summary(replace(resolve({}, side=64, size=64), **changes), images, device, chosen_precision=chosen)
    return capsys.readouterr().err.splitlines()


@pytest.mark.parametrize(
    ("chosen", "precision", "end"),
    [
        (True, "bf16", "in bf16, which the device computes faster than fp32"),
        (True, "fp32", "in fp32"),
        (False, "bf16", "in bf16"),
    ],
)
def test_recipe_steps_epochs_and_precision(chosen, precision, end, capsys):
    line = f"recipe images-64: 8000 steps of 64 images, 135 epochs, {end}"
    assert printed(capsys, 3781, chosen=chosen, precision=precision) == [line]


def test_what_makes_it_fast_on_cuda(capsys):
    device = Capabilities("cuda", "NVIDIA H100", (9, 0), bf16=True, compiler=True)
    chosen = {"precision": "bf16", "compile": True, "cuda_graph": True, "data_on_device": True}
    assert printed(capsys, 3781, device=device, **chosen)[1:] == [
        "NVIDIA H100: bf16, TF32, cuDNN benchmark, channels last, compiled, CUDA graph, images on the device where they fit"
    ]


def test_a_part_of_an_epoch(capsys):
    assert printed(capsys, 1_000_000, precision="fp32") == ["recipe images-64: 8000 steps of 64 images, 0.51 epochs, in fp32"]


def test_many_epochs_are_a_warning_with_a_way_out(capsys):
    _, warning = printed(capsys, 50, precision="fp32")
    assert warning == (
        "warning: each image is seen 10,240 times, and the network may memorise them: give more images, "
        "or --steps 78 for 100 epochs"
    )
    assert len(printed(capsys, 64, steps=299)) == 1
    assert len(printed(capsys, 64, steps=300)) == 2
