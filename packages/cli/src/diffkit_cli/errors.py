"""Errors in options, and the hints in their messages."""

from diffkit_trainer.options import nearest

__all__ = ["UsageError", "flag", "nearest"]


class UsageError(ValueError):
    """A wrong option; the message names it, what was expected and what was found."""


def flag(key: str) -> str:
    """The flag of an option.

    >>> flag("batch_size")
    '--batch-size'
    """
    return f"--{key.replace('_', '-')}"
