"""Versions, siblings, changelogs and public interfaces, in a small repository of two packages with releases."""

import os
import subprocess
from pathlib import Path

import pytest
from packaging.version import Version

from release.__main__ import require_version
from release.build import build_twice
from release.changelog import date_of, without_a_line
from release.packages import read_package, tags
from release.public_api import changes_since
from release.versions import called_for, highest, lowest, siblings_of

PROJECT = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "diffkit-{name}"
version = "{version}"
dependencies = {dependencies}

[tool.hatch.build.targets.wheel]
packages = ["src/diffkit_{name}"]
"""
STUB = "from .{name}_file import make as make\n"
MAKE = "diffkit_top.top_file.make"
FUNCTION = "def make(x, *, steps=20):\n    return _part(x)\n\n\ndef _part(x):\n    return x\n\n\ndef internal(x):\n    return x\n"


def write(name, version, dependencies=(), function=FUNCTION, more=""):
    source = Path("packages", name, "src", f"diffkit_{name}")
    source.mkdir(parents=True, exist_ok=True)
    project = PROJECT.format(name=name, version=version, dependencies=list(dependencies))
    Path("packages", name, "pyproject.toml").write_text(project)
    (source / "__init__.py").touch()
    (source / "__init__.pyi").write_text(STUB.format(name=name) + more)
    (source / f"{name}_file.py").write_text(function)


def commit(*tagged):
    for words in (["add", "--all"], ["commit", "--quiet", "--message", "x"], *(["tag", tag] for tag in tagged)):
        subprocess.run(["git", *words], check=True)


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """base 0.1.0, 0.1.1 and 0.2.0 are released; top 0.1.0 too, which allows base 0.1.1."""
    monkeypatch.chdir(tmp_path)
    for variable in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{variable}_NAME", "a")
        monkeypatch.setenv(f"GIT_{variable}_EMAIL", "a@example.org")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    subprocess.run(["git", "init", "--quiet"], check=True)
    for version in ("0.1.0", "0.1.1", "0.2.0"):
        write("base", version)
        commit(f"base-v{version}")
    write("base", "0.3.0")
    write("top", "0.1.0", ["diffkit-base>=0.1.1,<0.3", "numpy"])
    commit("top-v0.1.0")


@pytest.mark.parametrize(
    ("last", "breaking", "additions", "expected"),
    [
        ("0.1.9", True, False, "0.2.0"),
        ("0.1.9", False, True, "0.1.10"),
        ("1.2.3", True, True, "2.0.0"),
        ("1.2.3", False, True, "1.3.0"),
        ("1.2.3", False, False, "1.2.4"),
    ],
)
def test_the_version_that_a_change_calls_for(last, breaking, additions, expected):
    assert called_for(Version(last), breaking=breaking, additions=additions) == Version(expected)


@pytest.mark.parametrize(
    ("range_", "low", "high"),
    [
        (">=0.1.1,<0.3", "base-v0.1.1", "base-v0.2.0"),
        (">=0.1", "base-v0.1.0", "HEAD"),
        (">=0.3", "HEAD", "HEAD"),
    ],
)
def test_the_lowest_and_the_highest_sibling_that_the_range_allows(repository, range_, low, high):
    write("top", "0.1.1", [f"diffkit-base{range_}"])
    commit()
    package = read_package("top", "HEAD")
    assert [siblings_of(package, choose)["base"].commit for choose in (lowest, highest)] == [low, high]


def test_a_range_without_a_version_is_refused(repository):
    write("top", "0.1.1", ["diffkit-base>=0.4"])
    commit()
    with pytest.raises(ValueError, match=r"no release of base is in >=0.4, nor is HEAD: raise the range"):
        siblings_of(read_package("top", "HEAD"), lowest)


@pytest.mark.parametrize(
    ("change", "breaking", "additions"),
    [
        (
            {"function": FUNCTION.replace("x, *", "y, *")},
            [f"{MAKE}: Parameter was added as required (y)", f"{MAKE}: Parameter was removed (x)"],
            [],
        ),
        ({"function": FUNCTION.replace("*, steps=20", "*, steps=20, eta=0.0")}, [], []),
        ({"function": FUNCTION.replace("internal(x)", "internal()").replace("_part", "_other")}, [], []),
        ({"more": "from .top_file import internal as internal\n"}, [], ["diffkit_top.internal"]),
        ({"function": FUNCTION.replace("def make", "def build")}, [f"{MAKE}: Public object was removed"], []),
    ],
    ids=["renamed parameter", "new option", "internal", "new name", "removed"],
)
def test_only_changes_of_public_names_count(repository, change, breaking, additions):
    write("top", "0.1.1", **change)
    commit()
    assert changes_since("top", "top-v0.1.0") == (breaking, additions)


def test_a_version_below_that_of_the_change_is_refused(repository):
    write("top", "0.1.1", function=FUNCTION.replace("x, *", "y, *"))
    commit()
    with pytest.raises(ValueError, match=r"top 0.1.1: the change since top-v0.1.0 calls for 0.2.0"):
        require_version(read_package("top", "HEAD"))
    write("top", "0.1.0", function=FUNCTION + "\n")
    commit()
    with pytest.raises(ValueError, match=r"top-v0.1.0 is a release already: raise the version"):
        require_version(read_package("top", "HEAD"))


@pytest.mark.parametrize(
    ("heading", "message"),
    [
        ("## 0.2.0 (unreleased)\n\n- Faster.", r"found '## 0.2.0 \(unreleased\)'"),
        ("## 0.1.0 (2026-05-01)\n\n- Faster.", r"found '## 0.1.0 \(2026-05-01\)'"),
        ("## 0.2.0 (2026-05-01)\n\n", "with a line"),
        ("", r"expected the changelog's newest section to be '## 0.2.0 \(YYYY-MM-DD\)', found '## 0.0.9 \(2025-01-01\)'"),
    ],
)
def test_a_changelog_without_the_dated_version_is_refused(heading, message):
    with pytest.raises(ValueError, match=message):
        date_of(f"# Changelog\n\n{heading}\n\n## 0.0.9 (2025-01-01)\n\n- First.\n", Version("0.2.0"))


def test_a_change_of_sources_needs_a_line_in_the_changelog(repository):
    write("top", "0.1.0", function=FUNCTION + "\n")
    commit()
    assert without_a_line("HEAD~1") == ["top"]
    Path("packages/top/CHANGELOG.md").write_text("- Faster.\n")
    commit()
    assert without_a_line("HEAD~2") == []
    write("base", "0.3.0", function=FUNCTION + "\n")
    commit()
    subprocess.run(["git", "commit", "--quiet", "--amend", "--message", "x\n\nChangelog: none"], check=True)
    assert without_a_line("HEAD~1") == []


def test_a_commit_of_one_package_leaves_the_bytes_of_the_others(repository, tmp_path):
    def wheels(folder):
        return {name: build_twice(read_package(name, "HEAD"), tmp_path / folder)[0].read_bytes() for name in ("base", "top")}

    before = wheels("before")
    write("top", "0.1.1")
    commit()
    after = wheels("after")
    assert before["base"] == after["base"]
    assert before["top"] != after["top"]
    assert [str(version) for version in tags("base")] == ["0.1.0", "0.1.1", "0.2.0"]
