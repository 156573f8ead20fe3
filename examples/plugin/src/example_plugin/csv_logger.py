"""A logger: the loss of a training run as CSV."""

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

__all__ = ["CsvLogger"]


class CsvLogger:
    """Writes example.csv in the run's folder, a row of step and loss for each entry; a resumed run appends to it."""

    def __init__(self, run: Path, step: int) -> None:
        self.file = (run / "example.csv").open("a" if step else "w", newline="")
        self.rows = csv.writer(self.file)
        if not step:
            self.rows.writerow(["step", "loss"])

    def log(self, entry: Mapping[str, Any]) -> None:
        """Write an entry of the run's log."""
        self.rows.writerow([entry["step"], entry["loss"]])

    def images(self, pixels: Tensor, step: int) -> None:
        """Ignore previews: CSV has no images."""

    def close(self) -> None:
        """Close the file."""
        self.file.close()
