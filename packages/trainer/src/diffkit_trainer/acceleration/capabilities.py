"""What a device can do, and the options that are fastest on it: functions of a description, so that they need no device."""

import importlib.util
from typing import Any, NamedTuple, TypeVar

import torch

from diffkit_trainer.options import Options

__all__ = ["Capabilities", "capabilities_of", "compiles", "described", "fastest_precision", "with_defaults"]

Chosen = TypeVar("Chosen", bound=Options)

BF16_UNITS = ("amx_bf16", "avx512_bf16")
"""The instructions by which a processor multiplies bfloat16 faster than float32: training steps took 0.4 and 0.55 of the time."""

TENSOR_CORES = (7, 0)
"""The compute capability from which a CUDA device multiplies float16 faster than float32."""

MIN_COMPILED = 2000
"""Steps from which torch.compile pays: it takes a minute, and saves a part of a few tens of milliseconds at each."""


class Capabilities(NamedTuple):
    """A device: its type and name, CUDA's compute capability, and whether it has units for bfloat16 and a compiler (Triton)."""

    type: str
    name: str = ""
    compute: tuple[int, int] = (0, 0)
    bf16: bool = False
    compiler: bool = False


def capabilities_of(device: torch.device | str) -> Capabilities:
    """The description of a device.

    >>> capabilities_of("meta")
    Capabilities(type='meta', name='', compute=(0, 0), bf16=False, compiler=False)
    """
    device = torch.device(device)
    if device.type == "cpu":
        units: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
        return Capabilities("cpu", bf16=any(units.get(unit) for unit in BF16_UNITS))
    if device.type == "cuda":
        with torch.cuda.device(device):
            bf16 = torch.cuda.is_bf16_supported(including_emulation=False)
        compiler = importlib.util.find_spec("triton") is not None
        name, compute = torch.cuda.get_device_name(device), torch.cuda.get_device_capability(device)
        return Capabilities("cuda", name, compute, bf16, compiler)
    return Capabilities(device.type)


def fastest_precision(device: torch.device | str | Capabilities) -> str:
    """The precision that a device computes fastest: bf16 where it has units for it, fp16 on older CUDA devices, else fp32.

    >>> fastest_precision("meta"), fastest_precision(Capabilities("cuda", compute=(7, 5)))
    ('fp32', 'fp16')
    """
    found = device if isinstance(device, Capabilities) else capabilities_of(device)
    if found.bf16:
        return "bf16"
    return "fp16" if found.type == "cuda" and found.compute >= TENSOR_CORES else "fp32"


def compiles(device: Capabilities, steps: int | None = None) -> bool:
    """Whether torch.compile pays for so many steps, or evaluations; None is many.

    >>> compiles(Capabilities("cuda", compiler=True), 2000), compiles(Capabilities("cuda", compiler=True), 1999)
    (True, False)
    """
    return device.type == "cuda" and device.compiler and (steps is None or steps >= MIN_COMPILED)


def with_defaults(options: Chosen, device: Capabilities, *, processes: int = 1, steps: int | None = None) -> Chosen:
    """The options with the fastest values in place of precision "auto" and of None for compile, cuda_graph and data_on_device.

    steps: of the training, where they are known: a short one is not compiled.

    >>> device = Capabilities("cuda", "H100", (9, 0), bf16=True, compiler=True)
    >>> found = with_defaults(Options(precision="auto", compile=None, cuda_graph=None), device)
    >>> found.precision, found.compile, found.cuda_graph
    ('bf16', True, True)
    """
    on_cuda, alone = device.type == "cuda", processes == 1 and not options.shard
    chosen = {
        "precision": fastest_precision(device) if options.precision == "auto" else options.precision,
        "compile": compiles(device, steps) and not options.shard,
        "cuda_graph": on_cuda and alone,
        "data_on_device": on_cuda,
    }
    return options.changed(**{name: value for name, value in chosen.items() if getattr(options, name) in (None, "auto")})


def described(options: Options, device: Capabilities) -> str:
    """What makes a training on a CUDA device fast, in a line; "" for other devices.

    >>> described(Options(precision="bf16", cuda_graph=True), Capabilities("cuda", "H100"))
    'H100: bf16, TF32, cuDNN benchmark, CUDA graph'
    """
    if device.type != "cuda":
        return ""
    parts = {
        options.precision: True,
        "TF32": options.precision in ("bf16", "fp16"),
        "deterministic kernels": options.deterministic,
        "cuDNN benchmark": not options.deterministic,
        "channels last": options.channels_last,
        "compiled": options.compile,
        "CUDA graph": options.cuda_graph,
        "images on the device where they fit": options.data_on_device,
    }
    return f"{device.name}: {', '.join(name for name, chosen in parts.items() if chosen)}"
