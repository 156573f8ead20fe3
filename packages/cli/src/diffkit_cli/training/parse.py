"""The options of a training run as people write them: KEY=VALUE and TOML, both checked by `check`."""

import re
import tomllib
import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from diffkit_trainer.options import shown
from msgspec import inspect

from diffkit_cli.errors import UsageError, flag
from diffkit_cli.terminal.streams import visible
from diffkit_cli.training.options import CLASS_DROPOUT, OPTIONS, Given, TrainOptions, check

__all__ = ["parse_classes", "parse_flags", "parse_set", "parse_time", "read_toml", "to_toml"]

MAX_BYTES = 2**20

FLAG_ONLY = ("out", "time", "classes", "resume", "from", "config", "set", "dry_run", "json")
"""What stands on the command line alone."""


def read_toml(path: Path) -> Given:
    """The options of a TOML file, flat. A relative `data` is relative to the working directory, as on the command line.

    Raises UsageError, which names the file, for one that cannot be read, is not valid TOML (with the line), or holds an unknown
    option or a value out of its range.
    """
    from diffkit_trainer import RunError
    from diffkit_trainer.files import read_file

    where = f"--config {path}"
    try:
        values = tomllib.loads(read_file(path, MAX_BYTES, links=True).decode("utf-8"))
    except RunError as error:
        raise UsageError(f"--config {error}; expected a TOML file") from None
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{where}: not valid TOML: {error}") from None
    for key, value in values.items():
        if isinstance(value, dict):
            raise UsageError(f"{where}: [{key}] is a table: write the options without one, as size = 64")
        if key in FLAG_ONLY:
            raise UsageError(f"{where}: {key} is no option of a file: give {flag(key)} on the command line")
    return {key: check(key, value, where=where) for key, value in values.items()}


def parse_flags(texts: Mapping[str, str | None]) -> Given:
    """The flags that were given, by option. Raises UsageError as `check` does.

    >>> parse_flags({"lr": "1e-4", "seed": None})
    {'lr': 0.0001}
    """
    return {name: check(name, _value(name, text), where="") for name, text in texts.items() if text is not None}


def parse_classes(classes: bool | None, config: Given, settings: Given) -> Given:
    """--classes or --no-classes as the class dropout; config, settings: the options of the file and of --set.

    Raises UsageError where --set contradicts the flag.

    >>> parse_classes(True, {}, {}), parse_classes(True, {"class_dropout": 0.2}, {}), parse_classes(False, {}, {})
    ({'class_dropout': 0.1}, {'class_dropout': 0.2}, {'class_dropout': None})
    """
    if classes is None:
        return {}
    dropout = settings.get("class_dropout")
    if "class_dropout" in settings and classes is (dropout is None):
        name = "--classes" if classes else "--no-classes"
        raise UsageError(f"{name} and --set class_dropout={shown(dropout)} contradict each other: leave one of them out")
    found = config.get("class_dropout")
    return {"class_dropout": (CLASS_DROPOUT if found is None else found) if classes else None}


def parse_time(text: str) -> float:
    """A duration such as 45m, 1h30m or 90s, in seconds. Raises UsageError for anything else, and for 0.

    >>> parse_time("1h30m"), parse_time("1.5h"), parse_time("90s")
    (5400.0, 5400.0, 90.0)
    """
    number = r"(\d{1,6}(?:\.\d{1,6})?)"
    match = re.fullmatch(f"(?:{number}h)?(?:{number}m)?(?:{number}s)?", text.strip().lower(), re.ASCII)
    seconds = sum(float(part or 0) * unit for part, unit in zip(match.groups(), (3600, 60, 1), strict=True)) if match else 0.0
    if not seconds:
        raise UsageError(f"--time must be a duration above 0 such as 45m, 1h30m or 90s, got {text!r:.60}")
    return seconds


def parse_set(assignments: Iterable[str]) -> Given:
    """KEY=VALUE texts as options. Raises UsageError as `check` does, and for what is no assignment.

    >>> parse_set(["save_every=50", "flip=true", "keep_every=none", "ema=0.9,0.99"])
    {'save_every': 50, 'flip': True, 'keep_every': None, 'ema': (0.9, 0.99)}
    """
    given: Given = {}
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals:
            raise UsageError(f"--set takes KEY=VALUE, got {assignment!r}")
        given[key] = check(key, _value(key, text), where="--set")
    return given


def to_toml(options: TrainOptions) -> str:
    """The options as the lines of a file that `read_toml` reads back.

    >>> to_toml(TrainOptions()).splitlines()[:2]
    ['prediction = "eps"', 'loss = "mae"']
    """
    return "".join(_line(key, getattr(options, key)) for key in OPTIONS)


def _value(key: str, text: str) -> Any:
    """The number, truth value or list that a text stands for where the option takes one; else the text."""
    if text == "none":
        return text
    kinds = {type(each) for each in OPTIONS[key].alternatives} if key in OPTIONS else set()
    if inspect.VarTupleType in kinds and ("," in text or kinds == {inspect.VarTupleType}):
        return [_number(part.strip(), {inspect.FloatType} & kinds) for part in text.split(",")]
    if inspect.BoolType in kinds:
        return {"true": True, "false": False}.get(text.lower(), text)
    return _number(text, kinds)


def _number(text: str, kinds: set[Any]) -> Any:
    for kind, read in ((inspect.IntType, int), (inspect.FloatType, float)):
        if kind in kinds:
            try:
                return read(text)
            except ValueError:
                return text
    return text


def _line(key: str, value: Any) -> str:
    if any(unicodedata.category(letter) == "Cs" for letter in str(value)):
        return f"# {key}: {visible(value)} is not UTF-8, which TOML needs: give it on the command line\n"
    return f"{key} = {_toml(value)}\n"


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, tuple):
        return f"[{', '.join(map(_toml, value))}]"
    return '"' + "".join(map(_letter, "none" if value is None else value)) + '"'


def _letter(letter: str) -> str:
    """A letter of a TOML text, in which escapes stand for what a terminal would act on."""
    if letter in '"\\':
        return f"\\{letter}"
    return letter if visible(letter) == letter else f"\\U{ord(letter):08x}"
