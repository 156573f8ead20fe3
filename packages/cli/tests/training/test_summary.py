"""The line about a new training run, and the warning of many epochs."""

import pytest
from diffkit_cli.training.start.resolve import resolve
from diffkit_cli.training.summary import print_summary
from msgspec.structs import replace


def printed(capsys, images, *, chosen=False, **changes):
    print_summary(replace(resolve({}, side=64, size=64), **changes), images, chosen_precision=chosen)
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
