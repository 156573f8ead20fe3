"""The fraction of a package's mutants that its fast tests kill: python benchmarks/mutation_testing.py schedules [MODULE ...].

A mutant is the package with one small mistake: another number, operator or argument, a branch never taken, None for a value.
mutmut generates the mutants of each function and runs the tests that call it. packages/NAME/tests/mutants.toml lists the modules
(default: all), the tests, and each equivalent mutant with the reason why it is no mistake.
Fails below 90%, for a survivor that is not listed, and for a listed mutant that does not survive.
Not counted: changed letters in a string with a space, which people read. A missing string is counted.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import libcst as cst
from mutmut.mutation.diff_apply import get_diff_for_mutant
from mutmut.stats import status_by_exit_code

ROOT = Path(__file__).resolve().parents[1]
MIN_KILLED = 0.9
KILLED = ("killed", "timeout", "segfault")
LEAN = [f"-pno:{plugin}" for plugin in ("cacheprovider", "unraisableexception", "threadexception")]  # two collect garbage
WARM = """
with __import__("contextlib").suppress(ImportError):
    # torch imports these at the first comparison and the first update: once here, before the processes fork
    import torch._dynamo
    import torch.distributed.tensor
"""
TEXT = r"""'[^']*'|"[^"]*\""""
NOT_REWRITTEN = ("overload", "staticmethod", "classmethod")


class Mutant(NamedTuple):
    """`where` is module.function; `was` and `now` are the lines that differ, "" for none."""

    where: str
    was: str
    now: str
    status: str
    diff: str

    @property
    def key(self) -> tuple[str, str, str]:
        return self.where, self.was, self.now


def main(package: str, *modules: str) -> str | None:
    """The reason of a failure, or None."""
    config: dict[str, Any] = tomllib.loads((ROOT / "packages" / package / "tests" / "mutants.toml").read_text())
    stage = _stage(package, list(modules) or config.get("modules", ["*"]), config["tests"])
    _run(stage)
    os.chdir(stage)
    mutants = [each for each in _mutants() if not _is_wording(each)]
    survivors = {each.key: each for each in mutants if each.status not in KILLED}
    equal = {(each["where"], each["was"], now): each["why"] for each in config.get("equal", []) for now in each["now"]}
    for key, each in survivors.items():
        print(f"{each.where}: {equal.get(key, each.status)}\n{each.diff}\n")
    killed_equal = [] if modules else [key for key in equal if key not in survivors]
    for key in killed_equal:
        print("{}: listed in mutants.toml but killed\n-{}\n+{}\n".format(*key))
    killed, unlisted = sum(each.status in KILLED for each in mutants), len(survivors.keys() - equal.keys())
    fraction = killed / len(mutants)
    print(f"{package}: {killed} of {len(mutants)} mutants killed, {fraction:.1%}; {unlisted} survivors not listed")
    failed = fraction < MIN_KILLED or unlisted or killed_equal
    return f"{package} needs {MIN_KILLED:.0%} killed and every survivor listed" if failed else None


def _run(stage: Path) -> None:
    """Run mutmut in the stage with one process per core; its output goes to a terminal, else to mutmut.log."""
    cores = len(os.sched_getaffinity(0))
    command = [sys.executable, "-m", "mutmut", "run", "--max-children", str(cores)]
    with (stage / "mutmut.log").open("w") as log:
        quiet = None if sys.stdout.isatty() else log
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        if subprocess.run(command, cwd=stage, env=environment, stdout=quiet, stderr=quiet, check=False).returncode:
            sys.exit(f"mutmut stopped, see {log.name}; do the tests pass? cd {stage}/mutants && MUTANT_UNDER_TEST= pytest")


def _stage(package: str, modules: list[str], tests: list[str]) -> Path:
    """A new project as mutmut expects it: src/ and tests/ in one folder."""
    home, name = ROOT / "packages" / package, f"diffkit_{package}"
    stage = ROOT / "build" / "mutation" / package
    shutil.rmtree(stage, ignore_errors=True)
    shutil.copytree(home / "src" / name, stage / "src" / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(home / "tests", stage / "tests", ignore=shutil.ignore_patterns("__pycache__"))
    fixtures = (ROOT / "conftest.py").read_text().replace('pytest_plugins = ["testing.fixtures"]\n', "")  # no test here forks
    (stage / "conftest.py").write_text(fixtures + WARM)
    for path in stage.glob("src/**/*.py"):
        path.write_text(cst.parse_module(path.read_text()).visit(_Undecorated()).code)
    tools: dict[str, dict[str, Any]] = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
    pytest = tools["pytest"]["ini_options"] | {
        "pythonpath": ["tests", *(str(ROOT / path) for path in tools["pytest"]["ini_options"].get("pythonpath", []))]
    }
    mutmut = {
        "source_paths": ["src"],
        "only_mutate": [f"src/{name}/{module}.py" for module in modules],
        "also_copy": ["conftest.py"],
        "pytest_add_cli_args": [*LEAN, "--hypothesis-seed=0"],
        "pytest_add_cli_args_test_selection": [test if test.startswith("-") else f"tests/{test}" for test in tests],
        "process_isolation": "forkserver",  # torch's threads do not survive a fork
        "use_git_change_detection": False,
        "timeout_constant": 5.0,  # mutmut multiplies it by 15: on a busy machine a mutant that waits is not counted as killed
    }
    (stage / "pyproject.toml").write_text(_toml({"mutmut": mutmut, "pytest.ini_options": pytest}))
    return stage


class _Undecorated(cst.CSTTransformer):
    """Rewrite `@d def f` as `def f` and `f = d(f)`, which is the same: mutmut skips decorated functions."""

    def leave_FunctionDef(self, original_node: cst.FunctionDef, updated_node: cst.FunctionDef) -> Any:  # noqa: N802
        names = [cst.Module([]).code_for_node(each.decorator) for each in updated_node.decorators]
        if not names or any(name in NOT_REWRITTEN or name.endswith(".setter") for name in names):
            return updated_node
        function = updated_node.name.value
        call = "".join(f"{name}(" for name in names) + function + ")" * len(names)
        return cst.FlattenSentinel([updated_node.with_changes(decorators=[]), cst.parse_statement(f"{function} = {call}\n")])


def _toml(tables: dict[str, dict[str, Any]]) -> str:
    """TOML of tables; JSON's strings, lists and booleans are valid TOML."""
    lines: list[str] = []
    for name, table in tables.items():
        lines += [f"[tool.{name}]", *(f"{key} = {json.dumps(value)}" for key, value in table.items())]
    return "\n".join(lines)


def _mutants() -> Iterator[Mutant]:
    """The mutants of the stage in the working directory."""
    for path in sorted(Path("mutants").glob("src/**/*.py.meta")):
        source = path.relative_to("mutants").with_suffix("")
        for name, code in json.loads(path.read_text())["exit_code_by_key"].items():
            module, _, function = name.rpartition("__mutmut_")[0].partition(".")[2].partition(".x")
            diff = get_diff_for_mutant(name, path=source)
            lines = diff.splitlines()[3:]
            was, now = ("\n".join(line[1:].strip() for line in lines if line.startswith(sign)) for sign in "-+")
            where = f"{module}.{function[1:].replace('ǁ', '.')}"
            yield Mutant(where, was, now, status_by_exit_code[code], diff)


def _is_wording(mutant: Mutant) -> bool:
    """Whether only letters of strings with a space changed."""
    texts = [re.findall(TEXT, side) for side in (mutant.was, mutant.now)]
    if len(texts[0]) != len(texts[1]) or re.sub(TEXT, "", mutant.was) != re.sub(TEXT, "", mutant.now):
        return False
    changed = [(was, now) for was, now in zip(*texts, strict=True) if was != now]
    return all(" " in was and now.replace("XX", "").lower() == was.lower() for was, now in changed)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
