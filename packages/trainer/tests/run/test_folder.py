"""The run folder and its config."""

import re
from pathlib import Path

import pytest
from diffkit_trainer import (
    RunError,
    append_log,
    is_run_folder,
    locked,
    read_config,
    read_log,
    remove_unused_run,
    require_writable,
    truncate_log,
    write_config,
)


@pytest.mark.parametrize("text", ["", "[1]", '{"a": NaN}', '{"a": 1e999}', '{"a": 1, "a": 2}', "[" * 10**5, '{"a": '])
def test_an_invalid_config_is_refused(run, text):
    (run / "config.json").write_text(text)
    with pytest.raises(RunError, match=r"config.json: (invalid JSON|expected a JSON object)") as caught:
        read_config(run)
    assert "\n" not in str(caught.value)


def test_a_run_may_be_given_as_a_string(tmp_path, config):
    run = str(tmp_path / "run")
    write_config(run, config)
    with locked(run):
        require_writable(run)
        append_log(run, {"step": 1})
        truncate_log(run, 1)
    assert (is_run_folder(run), read_config(run), read_log(run)) == (True, config, [{"step": 1}])


def test_a_read_only_run_folder_is_refused(tmp_path, run_python):
    """As a user for whom a folder can be read-only."""
    script = """if True:
        import os, sys
        from pathlib import Path
        from diffkit_trainer import RunError, locked, require_writable
        if os.geteuid() == 0:
            os.setuid(65534)
        for check in (locked(Path(sys.argv[1])).__enter__, lambda: require_writable(Path(sys.argv[1]))):
            try:
                check()
            except RunError as error:
                print(error)
    """
    folder = tmp_path / "run"
    folder.mkdir(mode=0o555)
    opened = {path: path.stat().st_mode for path in folder.parents if path.stat().st_mode & 0o005 != 0o005}
    try:
        for path, mode in opened.items():
            path.chmod(mode | 0o005)
        done = run_python("-c", script, folder)
    finally:
        for path, mode in opened.items():
            path.chmod(mode)
    assert done.stdout.splitlines() == [
        f"{folder}: cannot be written (Permission denied)",
        f"{folder}: cannot be written (Permission denied); give another --out",
    ], done.stderr


def test_a_run_that_never_began_leaves_no_folder(tmp_path, config):
    empty, kept, begun = (tmp_path / name for name in ("empty", "kept", "begun"))
    for run in (empty, kept, begun):
        with locked(run):
            require_writable(run)
            if run == kept:
                (run / "mine").touch()
            elif run == begun:
                write_config(run, config)
            remove_unused_run(run)
    assert not empty.exists()
    assert sorted(path.name for path in kept.iterdir()) == ["checkpoints", "lock", "mine"]
    assert sorted(path.name for path in begun.iterdir()) == ["checkpoints", "config.json", "lock"]


def test_a_missing_run_is_answered_by_the_runs_of_its_folder(tmp_path, config):
    for name in ("flowers", "a", "b", "c", "d", "e"):
        write_config(tmp_path / name, config)
    for name, hint in (("flower", "did you mean 'flowers'?"), ("z9", f"the runs in {tmp_path} are a, b, c, d, e and 1 more")):
        with pytest.raises(RunError) as caught:
            read_config(tmp_path / name)
        assert str(caught.value) == f"{tmp_path / name}: no such run folder: {hint}"
    with pytest.raises(RunError, match=r"no such run folder: expected a folder that diffkit train wrote$"):
        read_config(tmp_path / "nowhere" / "run")


def test_a_folder_that_is_no_run_is_answered_by_the_run_that_is_meant(tmp_path, monkeypatch, config):
    monkeypatch.chdir(tmp_path)
    Path("flowers").mkdir()
    write_config(Path("runs") / "flowers", config)
    for name, hint in (("flowers", "did you mean runs/flowers?"), ("runs", "the runs in runs are flowers")):
        with pytest.raises(RunError, match=rf"^{name} is not a run folder: it has no config.json: {re.escape(hint)}$"):
            read_config(name)
