"""The keys of a training as people and files write them: KEY=VALUE, TOML, a run's config.json; one check for all of them."""

import dataclasses
import tomllib
import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, get_args

from diffkit_cli.errors import UsageError, flag, nearest
from diffkit_cli.terminal.streams import visible
from diffkit_cli.training.config import CHOICES, FLAGS, TrainConfig

__all__ = ["KEYS", "parse_set", "read_settings", "spelled", "to_toml", "typed", "words_of"]

KEYS: dict[str, Any] = {field.name: field.type for field in dataclasses.fields(TrainConfig)}
"""Every key of a training, and its type."""

EXPECTED = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}
NONE = "none"
LARGEST = 2**20
"""Of a TOML file, in bytes."""


def read_settings(path: Path) -> dict[str, Any]:
    """The keys of a TOML file, flat, with their values. A relative `data` is relative to the working directory, as on the
    command line.

    Raises UsageError, which names the file, for one that cannot be read, is no TOML (with the line), or holds an unknown key or
    a value that its key does not take.
    """
    from diffkit_trainer import RunError  # here, so that --help does not wait for torch
    from diffkit_trainer.files import read_file

    try:
        values = tomllib.loads(read_file(path, LARGEST, links=True).decode("utf-8"))
    except RunError as error:
        raise UsageError(f"--config {error}; expected a TOML file") from None
    except (ValueError, RecursionError) as error:
        raise UsageError(f"--config {path}: is no TOML: {error}") from None
    for key, value in values.items():
        if isinstance(value, dict):
            raise UsageError(f"--config {path}: [{key}] is a table: write the keys without one, as size = 64")
    values = typed(values, f"--config {path}")
    try:
        TrainConfig(**values)
    except UsageError as error:
        raise UsageError(f"--config {path}: {_as_keys(str(error))}") from None
    return values


def parse_set(assignments: Iterable[str]) -> dict[str, Any]:
    """KEY=VALUE texts as keys and values.

    Raises UsageError for an unknown key, with the nearest valid one, and for a value of another type.

    >>> parse_set(["save_every=50", "flip=true", "keep_every=none"])
    {'save_every': 50, 'flip': True, 'keep_every': None}
    """
    values: dict[str, Any] = {}
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals:
            raise UsageError(f"--set takes KEY=VALUE, got {assignment!r}")
        values |= typed({key: _read(text, KEYS.get(key))}, "--set")
    return values


def typed(values: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The values as TrainConfig's types: a whole number does where a number is expected, and "none" is None where that is one.

    Raises UsageError, which begins with `where`, for an unknown key, with the nearest valid one, and for a value of another
    type.
    """
    for key in values:
        if key not in KEYS:
            raise UsageError(f"{where}: unknown key {key!r:.60}: {nearest(key, KEYS, 'keys')}")
    return {key: _typed(key, value, where) for key, value in values.items()}


def words_of(key: str) -> tuple[str, ...]:
    """The words that the key takes; one empty word where it takes anything.

    >>> words_of("precision"), words_of("flip"), words_of("steps")
    (('fp32', 'bf16', 'fp16'), ('false', 'true'), ('',))
    """
    return CHOICES.get(key) or (("false", "true") if KEYS[key] is bool else ("",))


def spelled(value: Any) -> str:
    """The value as people write it on the command line, texts in quotes.

    >>> spelled(True), spelled(None), spelled("mae")
    ('true', 'none', "'mae'")
    """
    return NONE if value is None else str(value).lower() if isinstance(value, bool) else repr(value)


def to_toml(config: TrainConfig) -> str:
    """The config as the lines of a file that `read_settings` reads back.

    >>> to_toml(TrainConfig()).splitlines()[:3]
    ['data = "digits"', 'size = "none"', 'preset = "none"']
    """
    return "".join(_line(key, value) for key, value in dataclasses.asdict(config).items())


def _as_keys(message: str) -> str:
    """The message with the keys as a file has them where it has flags."""
    for key in FLAGS:
        message = message.replace(flag(key), key)
    return message


def _kinds(key: str) -> tuple[Any, ...]:
    return get_args(KEYS[key]) or (KEYS[key],)


def _typed(key: str, value: Any, where: str) -> Any:
    kind, *rest = _kinds(key)
    if rest and (value is None or value == NONE):
        return None
    if kind is float and type(value) is int and abs(value) < 2**1000:
        return float(value)
    if type(value) is not kind:
        raise UsageError(f"{where}: {key} must be {EXPECTED[kind]}{' or none' if rest else ''}, got {spelled(value):.60}")
    return value


def _read(text: str, kind: Any) -> Any:
    """The number or truth value that a text stands for where the key takes one; else the text."""
    kind = (get_args(kind) or (kind,))[0]
    if kind is bool:
        return {"true": True, "false": False}.get(text.lower(), text)
    try:
        return kind(text) if kind in (int, float) else text
    except ValueError:
        return text


def _line(key: str, value: Any) -> str:
    if any(unicodedata.category(letter) == "Cs" for letter in str(value)):
        return f"# {key}: {visible(value)} is no UTF-8, which TOML needs: give it on the command line\n"
    return f"{key} = {_toml(value)}\n"


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    return '"' + "".join(map(_letter, str(NONE if value is None else value))) + '"'


def _letter(letter: str) -> str:
    """A letter of a TOML text, in which escapes stand for what a terminal would not show."""
    if letter in '"\\':
        return f"\\{letter}"
    return letter if visible(letter) == letter else f"\\U{ord(letter):08x}"
