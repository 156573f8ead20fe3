"""A short hash of tensors, from memory or from a file, without torch."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import TypeAlias

__all__ = ["Contents", "tensor_hash"]

Contents: TypeAlias = tuple[str, str, Sequence[int], Iterable[bytes | memoryview]]
"""A tensor's name, torch's name of its type, its shape, and its bytes in parts."""


def tensor_hash(tensors: Iterable[Contents]) -> str:
    """16 hex digits of the sha256 of the tensors, which come in the order of their names.

    >>> tensor_hash([("a", "uint8", (2,), [b"xy"])]) == tensor_hash([("a", "uint8", (2,), [b"x", b"y"])])
    True
    """
    digest = hashlib.sha256()
    for name, dtype, shape, parts in tensors:
        digest.update(json.dumps([name, f"torch.{dtype}", list(shape)]).encode())
        for part in parts:
            digest.update(part)
    return digest.hexdigest()[:16]
