"""The precision that is chosen for a device, and a trainer that chooses it by itself."""

import pytest
import torch
from diffkit_trainer import fastest_precision


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [
        ({}, "fp32"),
        ({"avx2": True, "avx512_f": True, "avx512_bf16": False}, "fp32"),
        ({"avx512_bf16": True}, "bf16"),
        ({"amx_bf16": True, "amx_tile": True}, "bf16"),
    ],
)
def test_a_processor_with_units_for_bfloat16_gets_it(capabilities, expected, monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    assert (fastest_precision("cpu"), fastest_precision(torch.device("cpu"))) == (expected, expected)


def test_a_torch_that_does_not_know_its_processor_gets_fp32(monkeypatch):
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert (fastest_precision("cpu"), fastest_precision("meta")) == ("fp32", "fp32")


@pytest.mark.parametrize("unit", ["none", "amx_bf16"])
def test_auto_is_the_fastest_precision_from_the_first_step(unit, monkeypatch, make_trainer, train_to):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {unit: True}, raising=False)
    trainer, expected = make_trainer(precision="auto"), "bf16" if unit == "amx_bf16" else "fp32"
    assert (trainer.options.precision, trainer.environment["precision"]) == (expected, expected)
    assert train_to(trainer, 3) == train_to(make_trainer(precision=expected), 3)
