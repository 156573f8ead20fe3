"""Columns of a table, or arrays of a file, as conditions of the samples."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from diffkit_trainer.data.arrays.array_file import array_names, is_array_file, read_array
from diffkit_trainer.data.conditions.table import read_table
from diffkit_trainer.data.images import Images
from diffkit_trainer.data.statistics import statistics_of
from diffkit_trainer.errors import DataError
from diffkit_trainer.files.text import printable
from diffkit_trainer.options import unknown

__all__ = ["with_columns"]


def with_columns(images: Images, table: str | Path, columns: Sequence[str]) -> Images:
    """The images with a condition of each column: float32 (N, 1) of a table, see `read_table`, or an array (N, ...) of a file.

    The arrays of a .npz or .safetensors file are in the order of the samples, and stay in the file as `open_images` leaves them.
    Raises ValueError for columns that the table does not have, or that come twice, DataError for all that is wrong with its
    values, in one line.
    """
    path = Path(table)
    if twice := sorted({column for column in columns if columns.count(column) > 1}):
        raise ValueError(f"expected each column once, got {', '.join(map(repr, twice))} more than once")
    if is_array_file(path):
        found = _arrays(path, columns, len(images))
    else:
        numbers = read_table(path, columns, images.files, len(images))
        found = {column: torch.tensor(values).unsqueeze(1) for column, values in numbers.items()}
    return replace(images, conditions={**images.conditions, **found})


def _arrays(path: Path, columns: Sequence[str], count: int) -> dict[str, torch.Tensor]:
    names, where = array_names(path), printable(path)
    if names == [""]:
        raise ValueError(f"{where} holds one array without a name: take columns from a .npz or .safetensors file, or a table")
    if problem := unknown(columns, names, "array"):
        raise ValueError(f"{where} has {problem}")
    found, problems = dict[str, torch.Tensor](), []
    for column in columns:
        try:
            found[column] = _array(path, column, count)
        except DataError as error:
            problems.append(str(error).removeprefix(f"{where}: "))
    if problems:
        raise DataError(f"{where}: {'; '.join(problems)}")
    return found


def _array(path: Path, column: str, count: int) -> torch.Tensor:
    array = read_array(path, column)
    if array.shape[:1] != (count,) or not array.numel():
        shape = " x ".join(map(str, array.shape)) or "one number"
        raise DataError(f"{column} is {shape}; expected {count} rows, one for each sample")
    statistics_of(array.reshape(count, -1) if array.ndim == 1 else array, column)  # refuses NaN
    return array
