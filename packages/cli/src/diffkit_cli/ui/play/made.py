"""What a finished image of the page can be saved and made again by. Imports no library of pages."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from diffkit_cli.sampling.metadata import image_metadata
from diffkit_cli.sampling.plan import Plan
from diffkit_cli.ui.play.commands import command_line, given_of_image

__all__ = ["Made", "made_by"]


class Made(NamedTuple):
    """A finished image: what a file of it says, its name without .png, and the command that makes it again."""

    values: Any
    metadata: Mapping[str, Any]
    name: str
    command: str


def made_by(
    plan: Plan,
    given: Mapping[str, Any],
    values: Sequence[Any],
    *words: str,
    command: str = "sample",
    defaults: Mapping[str, Any] | None = None,
    more: Mapping[str, Any] | None = None,
    **read: Path,
) -> list[Made]:
    """The images of a plan, each with its own metadata and command.

    given, defaults: the options that were given, and those that the command has of its own. words: further words of the command.
    more: further metadata. read: the images that the command reads, by their keys in the metadata.
    """
    metadata = {**plan.metadata(command, **read), **(more or {})}
    made = list[Made]()
    for i, each in enumerate(values):
        own = image_metadata(metadata, i)
        line = command_line(command, plan.loaded, given_of_image(given, own), *words, out="samples", defaults=defaults)
        made.append(Made(each, own, f"seed-{own['seed']}-steps-{own['steps']}", line))
    return made
