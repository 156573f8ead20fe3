"""JSON objects with a checksum of their content, so that a reader notices any change."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from diffkit_trainer.errors import RunError

__all__ = ["verify_checksum", "with_checksum"]

KEY = "sha256"


def with_checksum(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document with the sha256 of its JSON under "sha256".

    >>> with_checksum({"a": 1})["sha256"][:8]
    'f9d86028'
    """
    return {**document, KEY: _checksum(document)}


def verify_checksum(document: Mapping[str, Any], path: object) -> dict[str, Any]:
    """The document without its checksum. Raises RunError, naming the file, if the checksum is missing or does not match.

    >>> verify_checksum(with_checksum({"a": 1}), "index.json")
    {'a': 1}
    """
    content = {key: value for key, value in document.items() if key != KEY}
    if document.get(KEY) != _checksum(content):
        raise RunError(f"{path}: damaged: its content does not match its sha256")
    return content


def _checksum(document: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(document).encode()).hexdigest()
