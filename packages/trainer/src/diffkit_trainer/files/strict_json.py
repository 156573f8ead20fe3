"""Strict JSON: no NaN, no infinity, no duplicate key, bounded size and depth."""

import json
import math
from pathlib import Path
from typing import Any

from diffkit_trainer.errors import RunError
from diffkit_trainer.files.regular_file import read_file

__all__ = ["MAX_BYTES", "parse_object", "read_json"]

MAX_BYTES = 8 * 2**20
MAX_DEPTH = 32


def read_json(path: Path, max_bytes: int = MAX_BYTES) -> dict[str, Any]:
    """The object in a JSON file of at most `max_bytes` bytes. Raises RunError, naming the file, for anything else.

    >>> read_json(Path("/nonexistent.json"))
    Traceback (most recent call last):
    diffkit_trainer.errors.RunError: /nonexistent.json: cannot be read (No such file or directory)
    """
    return parse_object(read_file(path, max_bytes), path)


def parse_object(text: bytes, path: object) -> dict[str, Any]:
    """The object in a JSON text, at most 32 levels deep. Raises RunError for anything else; path: the text's file, for the error.

    >>> parse_object(b'{"lr": 1e-4}', Path("config.json"))
    {'lr': 0.0001}
    """
    try:
        value = json.loads(text.decode("utf-8"), parse_constant=_refuse, parse_float=_finite, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise RunError(f"{path}: invalid JSON ({error})") from None
    if not isinstance(value, dict):
        raise RunError(f"{path}: expected a JSON object, found {type(value).__name__}")
    if _is_deeper(value, MAX_DEPTH):
        raise RunError(f"{path}: expected JSON of at most {MAX_DEPTH} levels, found more")
    return value


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is not a finite number")


def _finite(text: str) -> float:
    value = float(text)
    return value if math.isfinite(value) else _refuse(text)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("duplicate key")
    return result


def _is_deeper(value: Any, levels: int) -> bool:
    level = [value]
    for _ in range(levels):
        level = [
            child
            for each in level
            for child in (each.values() if isinstance(each, dict) else each)
            if isinstance(child, dict | list) and child
        ]
    return bool(level)
