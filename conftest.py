"""What the tests of every package share: the examples of every README, the check of public names, and disks that are small."""

import inspect
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
from sybil import Example, Sybil
from sybil.parsers.markdown import PythonCodeBlockParser

pytest_plugins = ["testing.fixtures"]
pytest_collect_file = Sybil(
    parsers=[PythonCodeBlockParser()], patterns=["README.md"], fixtures=["empty_working_directory"]
).pytest()
examples_run: dict[Path, set[int]] = {}
"""The lines of the examples of a file that this process has run."""


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> None:
    """An example builds on those before it: they are run first where another process has run them."""
    example = getattr(item, "example", None)
    if isinstance(example, Example):
        lines = examples_run.setdefault(item.path, set())
        for earlier in example.document.examples():
            if earlier.line < example.line and earlier.line not in lines:
                lines.add(earlier.line)
                earlier.evaluate()
        lines.add(example.line)


@pytest.fixture
def empty_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty folder as the working directory, for the examples that write files."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def check_public_names() -> Callable[[ModuleType], None]:
    """Every name of `__all__` can be imported, and every function and class has a one-line summary and an example (a doctest)."""

    def check(module: ModuleType) -> None:
        public = {name: getattr(module, name) for name in module.__all__}
        assert len(public) == len(module.__all__)
        assert [name for name, value in public.items() if inspect.ismodule(value)] == []  # a file hides the name it defines
        if not _is_lazy(module):
            assert set(public) == {
                name for name, value in vars(module).items() if not name.startswith("_") and not inspect.ismodule(value)
            }
        callables = {
            name: value for name, value in public.items() if inspect.isroutine(inspect.unwrap(value)) or inspect.isclass(value)
        }
        undocumented = {
            name
            for name, value in callables.items()
            if value.__module__.startswith("diffkit_") and not _documented(inspect.getdoc(value) or "")
        }
        assert undocumented == set()

    return check


@pytest.fixture
def install_distribution(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Path]]:
    """A function that puts a distribution on sys.path: one module of its name, and entry points {name: "module:attribute"}."""
    modules = set(sys.modules)

    def install(distribution: str, group: str, entries: dict[str, str], source: str = "", version: str = "1.2") -> Path:
        folder = tmp_path / distribution
        information = folder / f"{distribution}-{version}.dist-info"
        information.mkdir(parents=True)
        (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
        lines = [f"{name} = {value}\n" for name, value in entries.items()]
        (information / "entry_points.txt").write_text("".join([f"[{group}]\n", *lines]))
        (folder / f"{distribution}.py").write_text(source)
        monkeypatch.syspath_prepend(folder)
        return folder

    yield install
    for name in set(sys.modules) - modules:
        if getattr(sys.modules[name], "__file__", None) and tmp_path in Path(str(sys.modules[name].__file__)).parents:
            del sys.modules[name]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """A function from a size such as "4m" to the folder of a real disk of that size; only root can mount one."""
    disks: list[Path] = []

    def mounted(size: str) -> Path:
        folder = tmp_path / f"disk{len(disks)}"
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("mounting a disk needs root")
        disks.append(folder)
        return folder

    yield mounted
    for folder in disks:
        subprocess.run(["umount", "--lazy", folder], check=True)  # of a test that failed, files are still open


def _is_lazy(package: ModuleType) -> bool:
    """Whether the package imports its names when they are asked for; then its `__init__.pyi` is the list of them."""
    return "__getattr__" in vars(package)


def _documented(text: str) -> bool:
    return bool(text.partition("\n")[0]) and ">>> " in text
