"""The images in a data set that Hugging Face's `datasets` saved to a folder; its Arrow files are mapped into memory."""

from io import BufferedReader, BytesIO
from pathlib import Path
from typing import Any

from diffkit_trainer.data.datasets import IMAGE_KEYS, LABEL_KEYS
from diffkit_trainer.errors import DataError, RefusedError
from diffkit_trainer.files.text import printable

__all__ = ["SavedDataset", "is_saved_dataset"]

SPLITS, STATE = "dataset_dict.json", "state.json"
TRAINING = "train"
INSTALL = "pip install 'diffkit-trainer[datasets]'"


class SavedDataset:
    """The images of a folder that `save_to_disk` wrote, each named by its class and its row; of several splits those of "train".

    path: a file that changes with the data. files: their names. The column of images is one of `IMAGE_KEYS`, that of the classes
    one of `LABEL_KEYS`, if there is one. Raises DataError without the package `datasets`, and for a folder that is damaged or has
    no images.
    """

    def __init__(self, folder: Path) -> None:
        where = printable(folder)
        if (folder / SPLITS).is_file():
            folder = folder / TRAINING
        self.path = folder / STATE
        try:
            from datasets import Image, load_from_disk
        except ImportError:
            raise DataError(f"{where}: a data set of Hugging Face, which needs {INSTALL}") from None
        try:
            rows = load_from_disk(str(folder), keep_in_memory=False)
        except Exception as error:  # of a damaged file Arrow raises anything
            raise DataError(f"{where}: cannot be read ({str(error).partition(chr(10))[0]:.200}); save it again") from None
        self._column = next((key for key in IMAGE_KEYS if isinstance(rows.features.get(key), Image)), "")
        if not self._column:
            found = ", ".join(f"{name} ({type(each).__name__})" for name, each in rows.features.items())
            raise DataError(f"{where}: no column of images named {' or '.join(IMAGE_KEYS)}; found {found:.200}")
        self._rows = rows.select_columns(self._column).cast_column(self._column, Image(decode=False))
        labels = _class_names(rows)
        self.files = [f"{label}/{i:09d}" if label else f"{i:09d}" for i, label in enumerate(labels)]

    def open(self, name: str) -> BufferedReader:
        """The file of one image, in memory. Raises RefusedError for a row without one."""
        content = self._rows[int(name.rpartition("/")[2])][self._column]
        if not content or content.get("bytes") is None:
            raise RefusedError("no image in this row: save the data set again")
        return BufferedReader(BytesIO(content["bytes"]))


def is_saved_dataset(source: Any) -> bool:
    """Whether the source is a folder that `save_to_disk` wrote."""
    if not isinstance(source, str | Path):
        return False
    folder = Path(source)
    return (folder / SPLITS).is_file() or ((folder / STATE).is_file() and (folder / "dataset_info.json").is_file())


def _class_names(rows: Any) -> list[str]:
    """The class of each row, "" for none; none at all if a row has none."""
    key = next((key for key in LABEL_KEYS if key in rows.features), None)
    if key is None:
        return [""] * len(rows)
    names = getattr(rows.features[key], "names", None)
    labels = [None if label in (None, -1) else str(label if names is None else names[label]) for label in rows[key]]
    return [""] * len(rows) if None in labels else [str(label).replace("/", "-") for label in labels]
