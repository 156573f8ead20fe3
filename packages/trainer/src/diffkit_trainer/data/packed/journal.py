"""The journal of a pack that is being written: which files are decoded, in a text file with a JSON line for each batch."""

import json
import os
from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct

from diffkit_trainer.data.packed.index import MAX_BYTES
from diffkit_trainer.errors import RunError
from diffkit_trainer.files.checksum_json import verify_checksum, with_checksum
from diffkit_trainer.files.regular_file import read_file
from diffkit_trainer.files.strict_json import parse_object
from diffkit_trainer.files.typed_json import as_type

__all__ = ["BAD", "COLOUR", "GREY", "append_entry", "read_valid_entries"]

GREY, COLOUR, BAD = "g", "c", "b"


class Entry(Struct):
    """A line of the journal: the kind of each file as one letter, and name and reason for each bad file."""

    kinds: Annotated[str, Meta(pattern=f"^[{GREY}{COLOUR}{BAD}]*\\Z")]
    bad: list[tuple[str, str]]

    def __post_init__(self) -> None:
        if self.kinds.count(BAD) != len(self.bad):
            raise ValueError(f"expected {self.kinds.count(BAD)} bad files, found {len(self.bad)}")


def append_entry(journal: Path, kinds: str, bad: list[tuple[str, str]]) -> None:
    """Append a line and sync it to the disk. Raises OSError if writing fails."""
    with journal.open("a", encoding="utf-8") as file:
        file.write(json.dumps(with_checksum({"kinds": kinds, "bad": bad})) + "\n")
        file.flush()
        os.fsync(file.fileno())


def read_valid_entries(journal: Path) -> tuple[str, list[tuple[str, str]]]:
    """The kinds and the bad files of all lines before the first invalid one, which is cut off with all that follow it.

    Raises RunError if the journal is not a file.
    """
    kinds, bad, valid = "", list[tuple[str, str]](), 0
    for line in read_file(journal, MAX_BYTES).splitlines(keepends=True):
        try:
            entry = as_type(verify_checksum(parse_object(line, journal), journal), Entry, journal)
        except RunError:
            break
        kinds += entry.kinds
        bad += entry.bad
        valid += len(line)
    os.truncate(journal, valid)
    return kinds, bad
