"""The packages of a commit, their versions and the siblings they allow. The working directory is the repository."""

import subprocess
import tomllib
from pathlib import Path
from typing import NamedTuple

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

__all__ = ["Package", "git", "packages", "read_package", "tags"]

PREFIX = "diffkit-"


class Package(NamedTuple):
    """A package of a commit: its version, and the versions of its siblings that it allows."""

    name: str
    commit: str
    version: Version
    siblings: dict[str, SpecifierSet]


def git(*words: str) -> str:
    """What a git command prints. Raises CalledProcessError where it fails."""
    return subprocess.run(["git", *words], capture_output=True, check=True, text=True, encoding="utf-8").stdout


def packages() -> list[str]:
    """The names of all packages."""
    return sorted(path.parent.name for path in Path("packages").glob("*/pyproject.toml"))


def read_package(name: str, commit: str) -> Package:
    """A package as a commit or a tag has it."""
    project = tomllib.loads(git("show", f"{commit}:packages/{name}/pyproject.toml"))["project"]
    required = map(Requirement, project["dependencies"])
    siblings = {each.name.removeprefix(PREFIX): each.specifier for each in required if each.name.startswith(PREFIX)}
    return Package(name, commit, Version(project["version"]), siblings)


def tags(name: str) -> dict[Version, str]:
    """The tags of a package's releases, such as samplers-v0.2.0, by version; the lowest first."""
    found = git("tag", "--list", f"{name}-v[0-9]*").split()
    return dict(sorted((Version(tag.removeprefix(f"{name}-v")), tag) for tag in found))
