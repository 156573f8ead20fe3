"""A registry has our names and those of installed distributions, imports on use, and names the distribution in every error."""

import importlib.metadata
import subprocess
import sys
from typing import Any

import diffkit_schedules as ds
import numpy as np
import pytest
from diffkit_schedules import Registry

SCHEDULE = """
from __future__ import annotations
from dataclasses import dataclass
from diffkit_schedules import Rates

@dataclass(frozen=True)
class power:
    exponent: float = 2.0
    reverse: bool = False
    label: str = ""

    def __post_init__(self):
        if self.exponent <= 0:
            raise ValueError(f"exponent must be > 0, got {self.exponent}")

    def __call__(self, t):
        return Rates(1 - t**self.exponent, t**self.exponent)
"""


@pytest.fixture
def schedules(monkeypatch):
    """The registry of schedules as a new process sees it."""
    registry = Registry("diffkit.schedules", ds.SCHEDULES._builtin)
    monkeypatch.setattr("diffkit_schedules.config.SCHEDULES", registry)
    return registry


def test_registered_names_come_first_and_those_of_others_follow_in_order(install_distribution):
    registry = Registry("diffkit.things", {"pi": "math:pi", "e": "math:e"})
    install_distribution("theirs", "diffkit.things", {"zeta": "theirs:zeta", "alpha": "theirs:alpha"})
    assert list(registry) == ["pi", "e", "alpha", "zeta"]
    assert len(registry) == 4
    assert "zeta" in registry
    assert "beta" not in registry
    assert 3 not in registry


def test_an_object_is_imported_once_when_it_is_asked_for(install_distribution):
    install_distribution("theirs", "diffkit.things", {"thing": "theirs:thing"}, "thing = object()")
    registry = Registry("diffkit.things", {})
    assert list(registry) == ["thing"]
    assert "theirs" not in sys.modules
    assert registry["thing"] is sys.modules["theirs"].thing
    assert registry["thing"] is registry.get("thing")
    assert registry.get("other", 5) == 5
    assert registry.get("other") is None


def test_names_are_known_without_numpy():
    code = (
        "import sys; from diffkit_schedules import CONDITIONS, PREDICTIONS, SCHEDULES;"
        " print(CONDITIONS[0], PREDICTIONS[0], list(SCHEDULES)[0], len(SCHEDULES) >= 13, 'numpy' in sys.modules)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out == "variance eps cosine True False\n"


def test_every_name_of_ours_gives_the_class_of_that_name():
    ours = ds.SCHEDULES._builtin
    assert {name: ds.SCHEDULES[name].__name__ for name in ours} == {name: name for name in ours}
    assert all(ds.SCHEDULES[name] is getattr(ds, name) for name in ours)


def test_origin_is_the_distribution_and_its_version(install_distribution):
    install_distribution("theirs", "diffkit.schedules", {"power": "theirs:power"}, version="3.4.5")
    registry = Registry("diffkit.schedules", ds.SCHEDULES._builtin)
    assert registry.origin("power") == ("theirs", "3.4.5")
    assert registry.origin("cosine") == ("diffkit-schedules", importlib.metadata.version("diffkit-schedules"))


def test_an_unknown_name_is_refused_with_the_nearest_name():
    registry = Registry("diffkit.things", {"dpmpp_2m": "math:pi", "dpmpp_3m": "math:pi", "heun": "math:pi"})
    with pytest.raises(ValueError, match=r"^thing must be one of dpmpp_2m, dpmpp_3m, heun; got 'x'$"):
        registry["x"]
    with pytest.raises(ValueError, match=r"heun; got 'dpmpp_3', did you mean 'dpmpp_3m'\?$"):
        registry["dpmpp_3"]
    with pytest.raises(ValueError, match=r"got \['heun'\], did you mean 'heun'"):
        registry[["heun"]]
    with pytest.raises(ValueError, match="got 'x'"):
        registry.origin("x")
    with pytest.raises(ValueError, match=r"^part must be one of pi; got 'x'$"):
        Registry("org.example.parts", {"pi": "math:pi"})["x"]


def test_a_name_that_two_distributions_register_is_refused_by_naming_both(install_distribution):
    install_distribution("theirs", "diffkit.schedules", {"cosine": "theirs:cosine", "power": "theirs:power"})
    install_distribution("others", "diffkit.schedules", {"power": "others:power"}, version="2.0")
    registry = Registry("diffkit.schedules", ds.SCHEDULES._builtin)
    version = importlib.metadata.version("diffkit-schedules")
    with pytest.raises(ValueError, match=rf"^schedule 'cosine' is registered by diffkit-schedules {version} and theirs 1\.2: "):
        registry["cosine"]
    with pytest.raises(ValueError, match=r"^schedule 'power' is registered by others 2\.0 and theirs 1\.2: uninstall"):
        registry.origin("power")
    assert registry["karras"] is ds.karras
    assert list(registry).count("cosine") == 1
    assert len(registry) == 14


@pytest.mark.parametrize(
    ("value", "source", "reason"),
    [
        ("theirs:power", "import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("theirs:power", "1 / 0", "ZeroDivisionError: division by zero"),
        ("theirs:power", "", "AttributeError: module 'theirs' has no attribute 'power'"),
        ("nothing:power", "", "ModuleNotFoundError: No module named 'nothing'"),
    ],
)
def test_an_object_that_cannot_be_imported_names_its_distribution(install_distribution, value, source, reason):
    install_distribution("theirs", "diffkit.schedules", {"power": value}, source)
    with pytest.raises(ImportError) as caught:
        Registry("diffkit.schedules", {})["power"]
    assert str(caught.value) == f"schedule 'power' of theirs 1.2 cannot be imported from '{value}': {reason}"


def test_an_error_of_ours_is_not_attributed_to_anybody():
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        Registry("diffkit.things", {"thing": "no_such_module:x"})["thing"]
    with pytest.raises(ValueError, match="s must be >= 0") as caught:
        ds.from_config({"name": "cosine", "s": -1.0})
    assert not hasattr(caught.value, "__notes__")


def test_a_call_that_fails_names_its_distribution_once(install_distribution):
    install_distribution("theirs", "diffkit.things", {"divide": "theirs:divide"}, "def divide(x): return 1 / x")
    registry = Registry("diffkit.things", {})
    divide = registry.naming("divide")(registry["divide"])
    assert divide(2) == 0.5
    with pytest.raises(ZeroDivisionError) as caught:
        divide(0)
    assert caught.value.__notes__ == ["raised by thing 'divide' of theirs 1.2"]
    with pytest.raises(ZeroDivisionError) as caught, registry.naming("divide"):
        divide(0)
    assert caught.value.__notes__ == ["raised by thing 'divide' of theirs 1.2"]


def test_a_function_of_ours_is_not_wrapped():
    registry = Registry("diffkit.things", {"root": "math:sqrt"})
    assert registry.naming("root")(registry["root"]) is registry["root"]


def test_name_of_is_the_name_an_object_is_registered_under(install_distribution):
    install_distribution("theirs", "diffkit.things", {"broken": "theirs:broken", "thing": "theirs:Thing"}, "class Thing: pass")
    registry = Registry("diffkit.things", {"root": "math:sqrt"})
    assert registry.name_of(registry["thing"]) == "thing"
    assert registry.name_of(type("Thing", (), {})) is None
    assert registry.name_of(registry["root"]) == "root"
    assert registry.name_of(5) is None


def test_a_schedule_of_another_distribution_has_a_config(install_distribution, schedules):
    install_distribution("theirs", "diffkit.schedules", {"powers": "theirs:power"}, SCHEDULE)
    schedule: Any = ds.from_config({"name": "powers", "exponent": 3, "reverse": True, "label": "x"})
    assert schedule(0.5) == (0.875, 0.125)
    assert type(schedule.exponent) is float
    config = {"name": "powers", "exponent": 3.0, "reverse": True, "label": "x"}
    assert ds.to_config(schedule) == config
    assert ds.from_config(config) == schedule
    assert ds.to_config(ds.shift(ds.cosine(), 2.0))["schedule"] == {"name": "cosine", "s": 0.008}
    np.testing.assert_allclose(schedule(np.array([0.5])).alpha, [0.875])


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"exponent": "2"}, "exponent of schedule 'powers' must be a finite number, got '2'"),
        ({"reverse": 1}, "reverse of schedule 'powers' must be true or false, got 1"),
        ({"label": 1}, "label of schedule 'powers' must be a string, got 1"),
        ({"exponents": 2.0}, "schedule 'powers' has no parameter 'exponents', did you mean 'exponent'?"),
    ],
)
def test_a_config_of_another_distribution_is_checked_as_ours_are(install_distribution, schedules, config, message):
    install_distribution("theirs", "diffkit.schedules", {"powers": "theirs:power"}, SCHEDULE)
    with pytest.raises(ValueError) as caught:
        ds.from_config({"name": "powers", **config})
    assert str(caught.value).startswith(message)


def test_a_schedule_of_another_distribution_that_refuses_its_values_is_named(install_distribution, schedules):
    install_distribution("theirs", "diffkit.schedules", {"powers": "theirs:power", "function": "theirs:Rates"}, SCHEDULE)
    with pytest.raises(ValueError, match=r"^exponent must be > 0, got -1\.0") as caught:
        ds.from_config({"name": "powers", "exponent": -1})
    assert caught.value.__notes__ == ["raised by schedule 'powers' of theirs 1.2"]
    with pytest.raises(TypeError, match=r"^schedule 'function' of theirs 1\.2 must be a dataclass, got <class 'diffkit_sch"):
        ds.from_config({"name": "function"})


def test_a_part_that_is_not_installed_has_no_version():
    registry = Registry("diffkit.things", {"pi": "math:pi", "join": "os.path:join"})
    assert [registry.origin(name) for name in registry] == [("math", "(not installed)"), ("os", "(not installed)")]
