"""The lock of a run folder."""

import fcntl
import os

import pytest
from diffkit_trainer import LockedError, RunError, locked
from diffkit_trainer.files.lock import wait_for_lock


def test_a_second_lock_is_refused_with_the_process_id(tmp_path):
    with locked(tmp_path / "run"), pytest.raises(LockedError, match=f"run is in use by process {os.getpid()}: wait for it"):
        locked(tmp_path / "run").__enter__()
    with locked(tmp_path / "run"):
        pass


HOLD = """
import sys, time
from diffkit_trainer import locked
with locked(sys.argv[1]):
    print("locked", flush=True)
    time.sleep(60)
"""


def test_a_lock_ends_with_its_process(tmp_path, start_python):
    with start_python("-c", HOLD, tmp_path) as holder:
        assert holder.stdout.readline() == "locked\n"
        with pytest.raises(LockedError, match=f"in use by process {holder.pid}"), locked(tmp_path):
            pass
        holder.kill()
        holder.wait()
    with locked(tmp_path):
        assert (tmp_path / "lock").read_text() == str(os.getpid())


def test_a_run_folder_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "run").touch()
    with pytest.raises(RunError, match="run: cannot be written"):
        locked(tmp_path / "run").__enter__()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda lock, other: lock.symlink_to(other), "lock: expected a lock file, found a link: move it away"),
        (lambda lock, other: lock.hardlink_to(other), "lock: is not a lock of diffkit: move it away"),
        (lambda lock, other: os.mkfifo(lock), "lock: expected a lock file, found a FIFO: move it away"),
        (lambda lock, other: lock.mkdir(), "cannot be written"),
    ],
    ids=["link", "text", "FIFO", "folder"],
)
def test_what_is_not_a_lock_is_refused_and_stays_as_it_is(tmp_path, make, message):
    other = tmp_path / "other"
    other.write_text("not to be lost")
    make(tmp_path / "lock", other)
    with pytest.raises(RunError, match=message):
        locked(tmp_path).__enter__()
    assert other.read_text() == "not to be lost"


def test_a_lock_file_is_removed_unless_the_block_raises(tmp_path):
    with wait_for_lock(tmp_path / "new" / "a.lock"):
        assert (tmp_path / "new" / "a.lock").exists()
    assert not (tmp_path / "new" / "a.lock").exists()
    with pytest.raises(KeyError), wait_for_lock(tmp_path / "a.lock"):
        raise KeyError
    assert (tmp_path / "a.lock").exists()


def test_a_lock_whose_file_was_removed_is_not_held(tmp_path, monkeypatch):
    """Another process may have removed it between its opening and the lock."""
    flock = fcntl.flock
    monkeypatch.setattr(fcntl, "flock", lambda file, how: (flock(file, how), (tmp_path / "lock").unlink()))
    with pytest.raises(LockedError, match="in use by process unknown"), locked(tmp_path):
        pass
