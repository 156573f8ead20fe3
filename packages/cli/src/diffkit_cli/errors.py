"""Errors in options, and the hints in their messages."""

from collections.abc import Sequence
from pathlib import Path

from diffkit_trainer.options import nearest, unknown

__all__ = ["UsageError", "flag", "foreign_files", "nearest", "unknown"]


class UsageError(ValueError):
    """A wrong option; the message names it, what was expected and what was found."""


def flag(key: str) -> str:
    """The flag of an option.

    >>> flag("batch_size")
    '--batch-size'
    """
    return f"--{key.replace('_', '-')}"


def foreign_files(paths: Sequence[Path]) -> UsageError:
    """The error for files that would be replaced, and that diffkit did not make.

    >>> print(foreign_files([Path("a.png"), Path("b.png")]))
    a.png was not made by diffkit, and 1 more: give another path, or --force to replace it
    """
    others = f", and {len(paths) - 1} more" if len(paths) > 1 else ""
    return UsageError(f"{paths[0]} was not made by diffkit{others}: give another path, or --force to replace it")
