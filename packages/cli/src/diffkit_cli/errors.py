"""Options that cannot be taken as they are, and what to say of them."""

from collections.abc import Mapping
from typing import Any

from diffkit_trainer.options import nearest

__all__ = ["UsageError", "flag", "given", "nearest"]


class UsageError(ValueError):
    """An option that cannot be taken as it is; the message names it, what was expected, and what was found."""


def flag(key: str) -> str:
    """The option that gives a key.

    >>> flag("batch_size")
    '--batch-size'
    """
    return f"--{key.replace('_', '-')}"


def given(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options that were given, of those whose default is None."""
    return {key: value for key, value in options.items() if value is not None}
