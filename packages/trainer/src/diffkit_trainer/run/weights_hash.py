"""A short hash of a network's weights."""

from collections.abc import Mapping

from torch import Tensor

from diffkit_trainer.files.tensor_hash import tensor_hash
from diffkit_trainer.pixels import raw_bytes

__all__ = ["weights_hash"]


def weights_hash(weights: Mapping[str, Tensor]) -> str:
    """16 hex digits of the sha256 of names, types, shapes and values: the file does not matter.

    >>> import torch
    >>> weights_hash({"a": torch.ones(2)}) == weights_hash({"a": torch.ones(2)}) != weights_hash({"a": torch.zeros(2)})
    True
    """
    ordered = sorted(weights.items())
    return tensor_hash((name, str(each.dtype).removeprefix("torch."), each.shape, [raw_bytes(each)]) for name, each in ordered)
