"""The history: each start with its step, date and machine."""

import socket
from datetime import UTC, datetime, timedelta

from diffkit_trainer import append_start, read_history


def test_each_start_is_kept_and_other_lines_are_skipped(run):
    assert read_history(run) == []
    append_start(run, 0, device="cpu")
    with (run / "history.jsonl").open("a") as file:
        file.write('{"step": 3}\n{"step": 4, "da')
        file.write("\n")
    append_start(run, 5)
    first, second = read_history(run)
    assert (first["step"], first["device"], second["step"]) == (0, "cpu", 5)
    assert first["host"] == second["host"] == socket.gethostname()
    assert datetime.now(UTC) - datetime.fromisoformat(first["date"]) < timedelta(minutes=10)
