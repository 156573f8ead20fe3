"""The options of sampling as keyword arguments: what they may be, how a signature shows them, and how errors name them."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from inspect import Parameter, Signature, signature
from typing import Any, TypeVar

from diffkit_cli.errors import UsageError
from diffkit_cli.sampling.class_labels import NULL
from diffkit_cli.sampling.options import OF_SAMPLE, Given, flags_of
from diffkit_cli.sampling.parse import parse_flags
from diffkit_cli.synonyms import hint

__all__ = ["KEYWORDS", "named_as_keywords", "parse_keywords", "with_keywords"]

KEYWORDS = tuple(name for name in OF_SAMPLE if name != "step")
"""The options of `Run.sample`: those of `diffkit sample` but for the checkpoint, which is that of the run."""

Function = TypeVar("Function", bound=Callable[..., Any])

_FLAG = re.compile(r"(?<![\w-])--?[a-z][a-z-]*")
_NAMES = {flag: name for name in OF_SAMPLE for flag in flags_of(name)}
_NAMES |= {f"--{name}": name for name in ("init", "like", "raw", "out")} | {"--force": "force=True"}


def parse_keywords(keywords: Mapping[str, Any]) -> Given:
    """The options among the keywords, each in its type and range; None is as if it was left out.

    classes: a name or a number, or several. conditions: by name, a number, a tuple of them, a path, None where it is missing, or
    a list of these in turn. given: a path, or several. size: a side, or (height, width). Raises TypeError for an unknown name,
    with the option that is meant, and UsageError as `diffkit_cli.sampling.parse.check` does.

    >>> parse_keywords({"steps": 5, "size": (6, 9), "classes": ["rose", 3], "seed": None})
    {'steps': 5, 'size': (6, 9), 'classes': ('rose', '3')}
    """
    for name in keywords:
        if name not in KEYWORDS:
            known = (*KEYWORDS, "init", "like")
            way_out = hint(name, {each: each for each in known} | {"class": "classes"}) or f"the options are {', '.join(known)}"
            raise TypeError(f"sample() has no option {name!r}: {way_out}")
    return parse_flags({name: _as_typed(name, value) for name, value in keywords.items()})


@contextmanager
def named_as_keywords() -> Iterator[None]:
    """In the block, the messages of UsageErrors name options as keywords: "batch_size", not "--batch-size"."""
    try:
        yield
    except UsageError as error:
        raise UsageError(_FLAG.sub(lambda flag: _NAMES.get(flag[0], flag[0]), str(error))) from None


def with_keywords(function: Function) -> Function:
    """The function with the options in its signature, which `help` and editors show, in the place of its **options."""
    *own, _ = signature(function).parameters.values()
    named = {parameter.name for parameter in own}
    options = [Parameter(name, Parameter.KEYWORD_ONLY, default=None) for name in KEYWORDS if name not in named]
    function.__signature__ = Signature([*own, *options])  # type: ignore[attr-defined]
    return function


def _as_typed(name: str, value: Any) -> Any:
    """A value as its flag has it: classes and conditions as texts, a size as one; a scalar of NumPy or torch as a number."""
    if hasattr(value, "item") and not getattr(value, "ndim", 0):
        value = value.item()
    if name == "conditions" and isinstance(value, Mapping):
        return [
            f"{key}={_as_text(each)}" for key, found in value.items() for each in (found if isinstance(found, list) else [found])
        ]
    if name == "given" and value is not None:
        return [str(each) for each in (value if isinstance(value, list) else [value])]
    if value is None or name not in ("classes", "size"):
        return value
    parts = [value] if isinstance(value, str | int) else value
    return [str(each) for each in parts] if name == "classes" else "x".join(map(str, parts))


def _as_text(value: Any) -> str:
    """A condition as the text after NAME=."""
    return NULL if value is None else ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
