"""The log: entries, invalid lines, and a resumed run."""

import json

from diffkit_trainer import append_log, read_log, truncate_log


def test_the_log_is_truncated_to_the_resumed_step(run):
    for step in (10, 20, 30):
        append_log(run, {"step": step, "loss": step / 7})
    with (run / "log.jsonl").open("a") as file:
        file.write('{"step": 40, "lo')
    truncate_log(run, 20)
    assert read_log(run) == [{"step": 10, "loss": 10 / 7}, {"step": 20, "loss": 20 / 7}]


def test_invalid_lines_of_the_log_are_skipped(run):
    good = [{"step": step, "loss": None} for step in (1, 2, 3)]
    lines = [b"", b"text", b'{"step": 1, "lo', b"[1]", b"7", b'{"loss": 1}', b'{"step": "1"}', b"\xff\xfe", b'{"step": 1}}']
    with (run / "log.jsonl").open("wb") as file:
        for i, line in enumerate(lines):
            file.write(line + b"\n" + (json.dumps(good[i // 3]).encode() + b"\n" if i % 3 == 1 else b""))
    assert read_log(run) == good
    truncate_log(run, 2)
    assert (run / "log.jsonl").read_text() == "".join(json.dumps(entry) + "\n" for entry in good[:2])
