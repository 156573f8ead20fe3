"""What changed in the public names of a package: those that its stubs, the `__init__.pyi`, list."""

import ast
from pathlib import PurePosixPath
from typing import NamedTuple

import griffe

from release.packages import git

__all__ = ["Changes", "changes_since", "public_names"]

OTHER_PUBLIC_MODULES = ("diffkit_schedules.registry", "diffkit_samplers.testing", "diffkit_trainer.options")
"""Modules that are public without a stub, see the contracts in the root's pyproject.toml."""


class Changes(NamedTuple):
    """The changes of a public interface, one line each."""

    breaking: list[str]
    additions: list[str]


def changes_since(name: str, tag: str) -> Changes:
    """The changes of a package from a tag to the working tree."""
    source, module = f"packages/{name}/src", f"diffkit_{name}"
    before, after = (public_names(_stubs(source, commit)) for commit in (tag, "HEAD"))
    removed = [f"{public}: removed" for public in sorted(before.keys() - after.keys())]
    old = griffe.load_git(module, ref=tag, search_paths=[source], allow_inspection=False)
    new = griffe.load(module, search_paths=[source], allow_inspection=False)
    definitions = (*before.values(), *OTHER_PUBLIC_MODULES)
    changed = [
        f"{change.obj.path}: {change.kind.value}{_parameter(change)}"
        for change in griffe.find_breaking_changes(old, new)
        if change.kind != griffe.BreakageKind.ATTRIBUTE_CHANGED_VALUE  # a constant's value is no part of the interface
        and any(f"{change.obj.path}.".startswith(f"{path}.") for path in definitions)
    ]
    return Changes(removed + sorted(set(changed)), sorted(after.keys() - before.keys()))


def public_names(stubs: dict[str, str]) -> dict[str, str]:
    """The public names, with the path of the module and name that each is imported from. stubs: texts by module.

    >>> public_names({"lib.part": "from .file import name as name"})
    {'lib.part.name': 'lib.part.file.name'}
    """
    names = {}
    for module, text in stubs.items():
        for node in ast.parse(text).body:
            if isinstance(node, ast.ImportFrom) and node.level == 1:
                origin = f"{module}.{node.module}" if node.module else module
                names.update({f"{module}.{each.asname or each.name}": f"{origin}.{each.name}" for each in node.names})
    return names


def _stubs(source: str, commit: str) -> dict[str, str]:
    paths = git("ls-tree", "-r", "--name-only", commit, source).split()
    stubs = [path for path in paths if path.endswith("/__init__.pyi")]
    return {".".join(PurePosixPath(path).parent.relative_to(source).parts): git("show", f"{commit}:{path}") for path in stubs}


def _parameter(change: griffe.Breakage) -> str:
    value = change.old_value if change.old_value is not None else change.new_value
    return f" ({value.name})" if isinstance(value, griffe.Parameter) else ""
