"""Options whose value is a number: what is none is named, whatever the version of typer would say."""

from typing import Any

import typer

__all__ = ["real", "whole"]


def whole(*names: str, help: str) -> Any:
    """A `typer.Option` of those names, or of its parameter's, that takes a whole number."""
    return typer.Option(*names, help=help, metavar="N", parser=_whole)


def real(*names: str, help: str) -> Any:
    """A `typer.Option` of those names, or of its parameter's, that takes a number."""
    return typer.Option(*names, help=help, metavar="X", parser=_real)


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise typer.BadParameter(f"must be a whole number, got {text!r:.60}") from None


def _real(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise typer.BadParameter(f"must be a number, got {text!r:.60}") from None
