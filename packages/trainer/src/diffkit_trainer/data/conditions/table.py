"""A table of what is known of each sample, a text file of comma-separated values, whose columns become conditions."""

import csv
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from diffkit_trainer.data.conditions.match import listed, match_names
from diffkit_trainer.data.decode import failure_reason
from diffkit_trainer.errors import DataError
from diffkit_trainer.files.regular_file import open_regular
from diffkit_trainer.files.text import printable
from diffkit_trainer.options import unknown

__all__ = ["FILE_COLUMNS", "read_table"]

FILE_COLUMNS = ("file", "file_name", "filename", "image", "image_id", "path")
"""The names, in any case, of the column that holds the files' names; without one it is the first."""

SEPARATORS = (",", "\t", ";")


class Row(NamedTuple):
    """A row of the table: its number, where the header is row 1, its file, and the texts of the chosen columns.

    overlong: whether it has more cells than the header, such as by a comma in a number.
    """

    number: int
    file: str
    texts: tuple[str, ...]
    overlong: bool


def read_table(path: Path, columns: Sequence[str], files: Sequence[str], count: int) -> dict[str, list[float]]:
    """The numbers of each column, one for each of `count` samples.

    The first line names the columns; they are separated by commas, tabs or semicolons. files: of the samples, which the column of
    `FILE_COLUMNS` names, see `match_names`; without files the rows are in the order of the samples. Rows of other files are not
    used. Raises ValueError for columns that the table does not have, DataError for all that is wrong with the rows, in one line:
    samples without a row or with two, rows longer than the header, and cells that are no finite number, by row, file and column.
    """
    rows = _read(path, columns)
    where = printable(path)
    if not files and len(rows) != count:
        raise DataError(f"{where}: {len(rows)} rows below the header, expected {count}, one for each sample in their order")
    positions = match_names(files, [row.file for row in rows]) if files else list(range(count))
    missing = [file for file, position in zip(files, positions, strict=False) if position is None]
    used = [rows[position] for position in positions if position is not None]
    problems = [f"no row for {len(missing)} of {count} files: {listed(missing)}"] if missing else []
    problems += _repeated(rows, used) if files else []
    if overlong := [_label(row, files) for row in sorted(used) if row.overlong]:
        problems.append(f"more cells than the header in {listed(overlong)}")
    found = {}
    for i, column in enumerate(columns):
        numbers = [_number(row.texts[i]) for row in used]
        bad = sorted(row for row, number in zip(used, numbers, strict=True) if number is None)
        if bad:
            cells = [f"{_label(row, files)} {row.texts[i]!r:.40}" for row in bad]
            problems.append(f"{column}: expected a number, found {listed(cells)}")
        found[column] = [number for number in numbers if number is not None]
    if problems:
        raise DataError(f"{where}: {'; '.join(problems)}")
    return found


def _label(row: Row, files: Sequence[str]) -> str:
    return f"row {row.number} ({row.file})" if files else f"row {row.number}"


def _read(path: Path, columns: Sequence[str]) -> list[Row]:
    """The rows below the header; blank ones are left out."""
    try:
        with open_regular(path) as file:
            lines = list(_rows(file.read().decode("utf-8-sig")))
    except (OSError, ValueError, csv.Error) as error:
        raise DataError(f"{printable(path)}: {failure_reason(error)}; expected a table of comma-separated values") from None
    if not lines:
        raise DataError(f"{printable(path)}: empty; expected a table of comma-separated values")
    (_, names), *rest = lines
    if problem := unknown(columns, names, "column"):
        raise ValueError(f"{printable(path)} has {problem}")
    lower = [name.lower() for name in names]
    file_column = next((lower.index(name) for name in FILE_COLUMNS if name in lower), 0)
    chosen = [names.index(column) for column in columns]

    def cell(cells: list[str], i: int) -> str:
        return cells[i].strip() if i < len(cells) else ""

    return [
        Row(i, cell(cells, file_column), tuple(cell(cells, k) for k in chosen), any(cells[len(names) :])) for i, cells in rest
    ]


def _rows(text: str) -> Iterator[tuple[int, list[str]]]:
    first = text.partition("\n")[0]
    separator = max(SEPARATORS, key=first.count)
    for number, cells in enumerate(csv.reader(text.splitlines(keepends=True), delimiter=separator, strict=True), 1):
        if any(cells):
            yield number, [cell.strip() for cell in cells] if number == 1 else cells


def _repeated(rows: Sequence[Row], used: Sequence[Row]) -> list[str]:
    wanted = {row.file for row in used}
    numbers: dict[str, list[int]] = {}
    for row in rows:
        if row.file in wanted:
            numbers.setdefault(row.file, []).append(row.number)
    twice = [f"{file} in rows {' and '.join(map(str, found))}" for file, found in numbers.items() if len(found) > 1]
    return [f"expected one row for each file, found {listed(twice)}"] if twice else []


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) and abs(number) < 1e30 and "_" not in text else None
