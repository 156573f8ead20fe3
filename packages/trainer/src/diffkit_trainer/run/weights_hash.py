"""A short hash of a network's weights."""

import hashlib
import json
from collections.abc import Mapping

from torch import Tensor

from diffkit_trainer.pixels import raw_bytes

__all__ = ["weights_hash"]


def weights_hash(weights: Mapping[str, Tensor]) -> str:
    """16 hex digits of the sha256 of names, types, shapes and values: the file does not matter.

    >>> import torch
    >>> weights_hash({"a": torch.ones(2)}) == weights_hash({"a": torch.ones(2)}) != weights_hash({"a": torch.zeros(2)})
    True
    """
    digest = hashlib.sha256()
    for name in sorted(weights):
        value = weights[name]
        digest.update(json.dumps([name, str(value.dtype), list(value.shape)]).encode())
        digest.update(raw_bytes(value))
    return digest.hexdigest()[:16]
