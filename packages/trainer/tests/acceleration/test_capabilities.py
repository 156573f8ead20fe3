"""The options that a device gets, by its description alone."""

import pytest
import torch
from diffkit_trainer import Capabilities, capabilities_of, described, fastest_precision, with_defaults
from diffkit_trainer.options import Options

CPU = Capabilities("cpu", bf16=True)
HOPPER = Capabilities("cuda", "NVIDIA H100", (9, 0), bf16=True, compiler=True)
TURING = Capabilities("cuda", "Tesla T4", (7, 5))
PASCAL = Capabilities("cuda", "GTX 1080", (6, 1))
MPS = Capabilities("mps")
AUTO = Options(precision="auto", compile=None, cuda_graph=None, data_on_device=None)


@pytest.mark.parametrize(
    ("device", "steps", "processes", "expected"),
    [
        (HOPPER, None, 1, ("bf16", True, True, True)),
        (HOPPER, 2000, 1, ("bf16", True, True, True)),
        (HOPPER, 1999, 1, ("bf16", False, True, True)),
        (HOPPER, 2000, 2, ("bf16", True, False, True)),
        (HOPPER._replace(compiler=False), None, 1, ("bf16", False, True, True)),
        (TURING, None, 1, ("fp16", False, True, True)),
        (PASCAL, None, 1, ("fp32", False, True, True)),
        (CPU, None, 1, ("bf16", False, False, False)),
        (MPS, None, 1, ("fp32", False, False, False)),
    ],
)
def test_a_device_gets_what_is_fast_on_it(device, steps, processes, expected):
    found = with_defaults(AUTO, device, steps=steps, processes=processes)
    assert (found.precision, found.compile, found.cuda_graph, found.data_on_device) == expected


def test_each_choice_is_turned_off_by_its_key():
    for name, value in {"precision": "fp32", "compile": False, "cuda_graph": False, "data_on_device": False}.items():
        found = with_defaults(AUTO.changed(**{name: value}), HOPPER)
        assert getattr(found, name) == value
        others = with_defaults(AUTO, HOPPER).changed(**{name: value})
        assert found == others


def test_shards_are_neither_compiled_nor_recorded():
    found = with_defaults(AUTO.changed(shard=True), HOPPER)
    assert (found.compile, found.cuda_graph) == (False, False)


@pytest.mark.parametrize(("device", "expected"), [(HOPPER, "bf16"), (TURING, "fp16"), (PASCAL, "fp32"), (MPS, "fp32")])
def test_the_precision_of_a_described_device(device, expected):
    assert fastest_precision(device) == expected


def test_the_line_says_what_was_chosen():
    fast = with_defaults(AUTO, HOPPER)
    line = "NVIDIA H100: bf16, TF32, cuDNN benchmark, compiled, CUDA graph, images on the device where they fit"
    assert described(fast, HOPPER) == line
    exact = Options(precision="fp32", deterministic=True, data_on_device=False)
    assert described(exact, HOPPER) == "NVIDIA H100: fp32, deterministic kernels"
    assert described(fast, CPU) == ""


def test_a_trainer_resolves_what_its_device_decides(make_trainer):
    options = make_trainer(compile=None, cuda_graph=None).options
    assert (options.compile, options.cuda_graph, options.data_on_device) == (False, False, False)
    assert capabilities_of(torch.device("cpu")).type == "cpu"
