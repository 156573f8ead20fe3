"""The options of sampling as people give them: flags, and values of Python. Imports neither NumPy nor torch."""

import re
from collections.abc import Mapping
from typing import Any

from diffkit_trainer.options import Option, OptionError
from msgspec import inspect

from diffkit_cli.errors import UsageError
from diffkit_cli.sampling.options import OPTIONS, Given, choices, flags_of
from diffkit_cli.time_lists import text_of, times_in

__all__ = ["check", "parse_counts", "parse_flags", "parse_size"]

MAX_COUNTS = 50


def parse_flags(flags: Mapping[str, Any]) -> Given:
    """The options of sampling that are among the flags and were given, each in its type and range.

    Raises UsageError, which names the flag, what was expected and what was found.

    >>> parse_flags({"steps": "5", "eta": "1", "size": "6x9", "sampler": "dpmpp-2m", "seed": None, "out": "a.png"})
    {'steps': 5, 'eta': 1.0, 'size': (6, 9), 'sampler': 'dpmpp_2m'}
    """
    return {name: check(name, value) for name, value in flags.items() if name in OPTIONS and value not in (None, [], ())}


def parse_counts(text: str) -> list[int]:
    """The numbers of steps in a list with commas. Raises UsageError for anything else.

    >>> parse_counts("1, 5,20")
    [1, 5, 20]
    """
    parts = [part.strip() for part in text.split(",")]
    if len(parts) > MAX_COUNTS or not all(re.fullmatch(r"[0-9]{1,7}", part) for part in parts):
        raise UsageError(f"--steps must be at most {MAX_COUNTS} numbers such as 1,2,5,20, got {text!r:.60}")
    return [check("steps", part) for part in parts]


def parse_size(text: str) -> tuple[int, ...]:
    """HxW or N as (height, width), DxHxW as (depth, height, width). Raises UsageError for anything else.

    A side is from 1 to 4096; that of N, which may be a length, to 2^24.

    >>> parse_size("32x48"), parse_size("64"), parse_size("8x16x16")
    ((32, 48), (64, 64), (8, 16, 16))
    """
    match = re.fullmatch(r"(\d{1,9})(?:x(\d{1,9}))?(?:x(\d{1,9}))?", text.strip().lower(), re.ASCII)
    size = tuple(int(side) for side in match.groups() if side) if match else (0,)
    most = 2**24 if len(size) == 1 else 4096
    size = size * 2 if len(size) == 1 else size
    if not all(1 <= side <= most for side in size):
        raise UsageError(f"--size must be N or HEIGHTxWIDTH, each from 1 to 4096, got {text!r:.60}")
    return size


def check(name: str, value: Any) -> Any:
    """An option's value in its type and range, from the text of its flag, or of its type. Raises UsageError."""
    option, words = OPTIONS[name], choices(name)
    if name == "size":
        return parse_size(value)
    if name == "spacing" and isinstance(value, str) and "," in value:
        return _times(value)
    if isinstance(value, str) and words and value not in words:
        value = value.replace("-", "_")
    try:
        value = option.check(_number(option, value))
        if words and value not in words:
            raise OptionError.of_word(name, words, value)
    except OptionError as error:
        raise UsageError(f"{flags_of(name)[0]} must be {error.expected}, got {error.found}") from None
    return value


def _times(text: str) -> str:
    """The times of --spacing, without blanks. Raises UsageError where they are none."""
    try:
        return text_of(times_in(text) or ())
    except ValueError as error:
        raise UsageError(f"--spacing: {error}") from None


def _number(option: Option, text: Any) -> Any:
    """The number that a text stands for where the option takes one; anything else as it is."""
    if not isinstance(text, str):
        return text
    for kind, read in ((inspect.IntType, int), (inspect.FloatType, float)):
        if any(isinstance(each, kind) for each in option.alternatives):
            try:
                return read(text)
            except ValueError:
                return text
    return text
