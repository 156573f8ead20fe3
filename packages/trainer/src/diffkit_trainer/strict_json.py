"""JSON without its loopholes: no NaN, no infinity, no duplicate key, no endless nesting."""

import json
import math
from pathlib import Path
from typing import Any

from diffkit_trainer.errors import RunError
from diffkit_trainer.whole import require_regular

__all__ = ["parse_object", "read_json"]

LARGEST = 8 * 2**20


def read_json(path: Path, largest: int = LARGEST) -> dict[str, Any]:
    """The object in a JSON file of at most `largest` bytes; RunError, naming the file, for anything else.

    >>> read_json(Path("/nonexistent.json"))
    Traceback (most recent call last):
    diffkit_trainer.errors.RunError: /nonexistent.json: cannot be read (No such file or directory)
    """
    require_regular(path)
    try:
        with path.open("rb") as file:
            text = file.read(largest + 1)
    except OSError as error:
        raise RunError(f"{path}: cannot be read ({error.strerror})") from None
    if len(text) > largest:
        raise RunError(f"{path}: expected at most {largest} bytes of JSON, found more")
    return parse_object(text, path)


def parse_object(text: bytes, path: Path) -> dict[str, Any]:
    """The object in a JSON text; RunError, naming the file it is from, for anything else.

    >>> parse_object(b'{"lr": 1e-4}', Path("config.json"))
    {'lr': 0.0001}
    """
    try:
        value = json.loads(text.decode("utf-8"), parse_constant=_refuse, parse_float=_finite, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise RunError(f"{path}: not the JSON that was written here ({error})") from None
    if not isinstance(value, dict):
        raise RunError(f"{path}: expected a JSON object, found {type(value).__name__}")
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
