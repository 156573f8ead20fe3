"""JSON objects that carry their own sum, so that one in which anything has changed is not believed."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from diffkit_trainer.errors import RunError

__all__ = ["signed", "verified"]

KEY = "sha256"


def signed(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document with the sum of its JSON under "sha256".

    >>> signed({"a": 1})["sha256"][:8]
    'f9d86028'
    """
    return {**document, KEY: _sum(document)}


def verified(document: Mapping[str, Any], path: object) -> dict[str, Any]:
    """The document without its sum; RunError where that is another or not there.

    >>> verified(signed({"a": 1}), "index.json")
    {'a': 1}
    """
    rest = {key: value for key, value in document.items() if key != KEY}
    if document.get(KEY) != _sum(rest):
        raise RunError(f"{path}: damaged: not what was written here")
    return rest


def _sum(document: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(document).encode()).hexdigest()
