"""Docstrings as Markdown, for the reference: their examples become code, and public names in backticks become links.

The docstrings are plain text: what Markdown would read as emphasis, as HTML or as quotes is escaped.
"""

import re
from functools import cache
from importlib import import_module
from typing import Any

import griffe

from docs.assemble import path_of

EXAMPLE = re.compile(r"^( *)>>> (?:.*\n?)(?:\1(?! *\n).*\S.*\n?)*", re.MULTILINE)
CODE = re.compile(r"(```.*?```|`[^`\n]*`|^ {4,}.*$)", re.DOTALL | re.MULTILINE)
NAME = re.compile(r"`(\w+)`")


class PlainText(griffe.Extension):
    """Rewrites every docstring of the packages when it is read."""

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        """Replace the docstring of a module, class, function or attribute."""
        if obj.docstring and obj.path.startswith("diffkit_"):
            obj.docstring.value = as_markdown(obj.docstring.value, obj.path.partition(".")[0])


def as_markdown(text: str, package: str) -> str:
    r"""The plain text of a docstring of `package` as Markdown.

    >>> as_markdown("An array (N, *space).\n\n>>> 1 + 1\n2\n", "diffkit_schedules")
    'An array (N, \\*space).\n\n```pycon\n>>> 1 + 1\n2\n```\n'
    >>> as_markdown("See `cosine` and `nothing`.", "diffkit_schedules")
    'See [`cosine`][diffkit_schedules.cosine] and `nothing`.'
    """
    text = EXAMPLE.sub(lambda example: f"```pycon\n{example[0].rstrip()}\n```\n", text)
    parts = CODE.split(text)
    parts[::2] = (re.sub(r"([*<])(?=\w)", r"\\\1", part) for part in parts[::2])
    parts[1::2] = (NAME.sub(lambda name: _linked(name, package), part) if "\n" not in part else part for part in parts[1::2])
    return "".join(parts)


def _linked(name: re.Match[str], package: str) -> str:
    return f"[{name[0]}][{_public(package)[name[1]]}]" if name[1] in _public(package) else name[0]


@cache
def _public(package: str) -> dict[str, str]:
    return {name: path_of(package, name) for name in import_module(package).__all__}
