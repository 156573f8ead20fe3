"""What the tests of every package share: the examples of every README run, and public names are checked in one way."""

import inspect
from collections.abc import Callable
from types import ModuleType

import pytest
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser

pytest_collect_file = Sybil(parsers=[PythonCodeBlockParser()], patterns=["README.md"]).pytest()


@pytest.fixture
def check_public_names() -> Callable[[ModuleType], None]:
    """`__all__` is whole, and each function and class says in one line what it gives, with an example (run as a doctest)."""

    def check(module: ModuleType) -> None:
        shown = {name for name, value in vars(module).items() if not name.startswith("_") and not inspect.ismodule(value)}
        assert shown == set(module.__all__)
        assert len(module.__all__) == len(shown)
        ours = {
            name: value for name in module.__all__ if inspect.isroutine(value := getattr(module, name)) or inspect.isclass(value)
        }
        lacking = {
            name
            for name, value in ours.items()
            if value.__module__.startswith("diffkit_") and not _documented(inspect.getdoc(value) or "")
        }
        assert lacking == set()

    return check


def _documented(text: str) -> bool:
    return bool(text.partition("\n")[0]) and ">>> " in text
