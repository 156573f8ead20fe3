"""What somebody may have written into a JSON file: every field gone, of another type, or of an impossible size."""

import copy
import json
import os
import resource
from contextlib import contextmanager

DEEP = 10**5
TOO_DEEP = json.loads("[" * 40 + "]" * 40)
VALUES = (None, True, -1, 0, 0.5, 1e308, 1e-320, 10**30, 10**400, "", "x", "a\nb", "\ud800", [], [None], {}, {"x": 1}, TOO_DEEP)
TEXTS = {
    **{"empty": "", "cut off": '{"a": ', "a list": "[1]", "a text": '"a"', "null": "null", "a number": "1"},
    **{"empty object": "{}", "no JSON": "\x00\xff", "a key twice": '{"a": 1, "a": 2}', "not a number": '{"a": NaN}'},
    **{"infinite": '{"a": 1e999}', "lists too deep": "[" * DEEP, "objects too deep": '{"a":' * DEEP, "deep": '{"a":' + "[" * 99},
    **{"closed": '{"a":' + "[" * 900 + "]" * 900 + "}", "newer": '{"format": 2}', "older": '{"format": 0}'},
}
"""Whole files, by what they are."""


def mutations(document):
    """(where, document) for every field and every wrong value of it."""
    for path in _paths(document):
        for value in (*VALUES, ...):
            other = copy.deepcopy(document)
            inside = other
            for key in path[:-1]:
                inside = inside[key]
            if value is ...:
                del inside[path[-1]]
            else:
                inside[path[-1]] = value
            yield f"{'.'.join(map(str, path))} = {'gone' if value is ... else repr(value)[:40]}", other


def _paths(value, path=()):
    """Of a list, the first entry stands for all."""
    inside = list(value.items()) if isinstance(value, dict) else list(enumerate(value[:1])) if isinstance(value, list) else []
    for key, child in inside:
        yield (*path, key)
        yield from _paths(child, (*path, key))


def no_files(path):
    """Puts each thing that is no file in the place of a file, and gives its name."""
    data = path.read_bytes()
    for name, place in (
        ("FIFO", lambda: os.mkfifo(path)),
        ("folder", path.mkdir),
        ("dangling link", lambda: path.symlink_to(path.with_name("nowhere"))),
        ("endless device", lambda: path.symlink_to("/dev/zero")),
        ("loop", lambda: path.symlink_to(path)),
    ):
        path.unlink()
        place()
        yield name
        if path.is_dir() and not path.is_symlink():
            path.rmdir()
        else:
            path.unlink(missing_ok=True)
        path.write_bytes(data)


@contextmanager
def little_memory(most=300 * 2**20):
    """Fails where the process's peak grew by more."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    grown = 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    assert grown < most, f"{grown / 2**20:.0f} MiB"


class Outcomes:
    """Counts what was taken and what was refused; anything but a one-line refusal that names the file is a failure."""

    def __init__(self, *refusals):
        self.refusals, self.taken, self.refused = refusals, 0, 0

    def of(self, what, named, door, *arguments):
        try:
            door(*arguments)
        except self.refusals as error:
            said = str(error)
            assert "\n" not in said, (what, said)
            assert named in said, (what, said)
            assert len(said) < 2000, (what, said[:200])
            self.refused += 1
        except Exception as error:
            raise AssertionError(f"{what}: {type(error).__name__}: {error}") from error
        else:
            self.taken += 1
