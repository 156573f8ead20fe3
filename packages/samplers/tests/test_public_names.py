"""Every public function and class says what it gives, and shows it in an example that runs (the examples run as doctests)."""

import inspect

import diffkit_samplers
import diffkit_samplers.testing
import pytest

MODULES = [diffkit_samplers, diffkit_samplers.testing]


def documented(value):
    return (inspect.isfunction(value) or inspect.isclass(value)) and value.__module__.startswith("diffkit_")


DOCUMENTED = [(module, name) for module in MODULES for name in module.__all__ if documented(getattr(module, name))]


@pytest.mark.parametrize(("module", "name"), DOCUMENTED, ids=lambda each: getattr(each, "__name__", each))
def test_a_docstring_with_an_example(module, name):
    text = inspect.getdoc(getattr(module, name)) or ""
    assert text.splitlines()[0]
    assert ">>> " in text


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_the_list_of_public_names_is_whole(module):
    assert all(hasattr(module, name) for name in module.__all__)
    shown = {name for name, value in vars(module).items() if not name.startswith("_") and not inspect.ismodule(value)}
    assert shown == set(module.__all__)
