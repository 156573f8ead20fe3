"""The texts of conditions, NAME=VALUE. Imports neither NumPy nor torch."""

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

from diffkit_cli.errors import UsageError
from diffkit_cli.paths import file_hash

__all__ = [
    *("GIVEN", "all_texts", "condition_captions", "condition_files", "conditions_of_image"),
    *("is_file", "joined_captions", "values_by_name", "without_folders"),
]

GIVEN = "given"
"""The condition of --given: the other image of a pair."""


def all_texts(given: Mapping[str, Any]) -> tuple[str, ...]:
    """The conditions of --condition, and those of --given."""
    return (*given.get("conditions", ()), *(f"{GIVEN}={path}" for path in given.get("given", ())))


def values_by_name(texts: Sequence[str]) -> dict[str, list[str]]:
    """The values of each condition, in their order. Raises UsageError for a text without a name or a value."""
    found: dict[str, list[str]] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not value:
            raise UsageError(f"--condition takes NAME=VALUE, got {text!r:.60}")
        found.setdefault(name, []).append(value)
    return found


def condition_files(texts: Sequence[str]) -> dict[str, str]:
    """The hash of each file among the values, by its text `without_folders`."""
    files = [(text, Path(value)) for text in texts if (value := text.partition("=")[2]) and is_file(value)]
    return {without_folders(text): file_hash(path) for text, path in files}


def without_folders(text: str) -> str:
    """NAME=VALUE with the name alone of a file.

    >>> without_folders("age=0.5")
    'age=0.5'
    """
    name, _, value = text.partition("=")
    return f"{name}={Path(value).name}" if is_file(value) else text


def conditions_of_image(texts: Sequence[str], i: int) -> list[str]:
    """The conditions of sample i, of texts whose values are taken in turn.

    >>> conditions_of_image(["age=1", "age=2", "hue=0"], 3)
    ['age=2', 'hue=0']
    """
    return [f"{name}={values[i % len(values)]}" for name, values in values_by_name(texts).items()]


def condition_captions(texts: Sequence[str], n: int) -> list[str]:
    """The conditions of each of n samples, those with several values alone; empty where none has.

    >>> condition_captions(["age=1", "age=2", "hue=0"], 3)
    ['age=1', 'age=2', 'age=1']
    """
    several = {name: values for name, values in values_by_name(texts).items() if len(set(values)) > 1}
    shown = [without_folders(f"{name}={value}") for name, values in several.items() for value in values]
    return [", ".join(conditions_of_image(shown, i)) for i in range(n)] if shown else []


def joined_captions(*captions: Sequence[str]) -> list[str]:
    """One caption for each sample of several lists of them, of which some may be empty.

    >>> joined_captions(["rose", "tulip"], []), joined_captions([], ["age=1"])
    (['rose', 'tulip'], ['age=1'])
    """
    return [", ".join(filter(None, each)) for each in zip_longest(*captions)]


def is_file(text: str) -> bool:
    """Whether a value is the path of a file."""
    return len(text) < 4096 and "\0" not in text and Path(text).is_file()
