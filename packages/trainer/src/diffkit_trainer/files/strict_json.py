"""JSON without its loopholes: no NaN, no infinity, no duplicate key, no endless nesting."""

import json
import math
from pathlib import Path
from typing import Any

from diffkit_trainer.errors import RunError
from diffkit_trainer.files.regular import read_file

__all__ = ["parse_object", "read_json"]

LARGEST = 8 * 2**20
DEEPEST = 32


def read_json(path: Path, largest: int = LARGEST) -> dict[str, Any]:
    """The object in a JSON file of at most `largest` bytes; RunError, naming the file, for anything else.

    >>> read_json(Path("/nonexistent.json"))
    Traceback (most recent call last):
    diffkit_trainer.errors.RunError: /nonexistent.json: cannot be read (No such file or directory)
    """
    return parse_object(read_file(path, largest), path)


def parse_object(text: bytes, path: object) -> dict[str, Any]:
    """The object in a JSON text, at most 32 levels deep; RunError, naming the file it is from, for anything else.

    >>> parse_object(b'{"lr": 1e-4}', Path("config.json"))
    {'lr': 0.0001}
    """
    try:
        value = json.loads(text.decode("utf-8"), parse_constant=_refuse, parse_float=_finite, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise RunError(f"{path}: not the JSON that was written here ({error})") from None
    if not isinstance(value, dict):
        raise RunError(f"{path}: expected a JSON object, found {type(value).__name__}")
    if _deeper_than(DEEPEST, value):
        raise RunError(f"{path}: expected JSON of at most {DEEPEST} levels, found more")
    return value


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is no number")


def _finite(text: str) -> float:
    value = float(text)
    return value if math.isfinite(value) else _refuse(text)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a key stands twice")
    return result


def _deeper_than(levels: int, value: Any) -> bool:
    level = [value]
    for _ in range(levels):
        level = [
            child
            for each in level
            for child in (each.values() if isinstance(each, dict) else each)
            if isinstance(child, dict | list) and child
        ]
    return bool(level)
