"""Writes the digits that come with diffkit-trainer, byte for byte the same each time. Needs scikit-learn."""

import gzip
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

OUT = Path(__file__).parents[1] / "src" / "diffkit_trainer" / "digits"


def main() -> None:
    digits = load_digits()
    write("images-idx3-ubyte.gz", np.round(digits.images * 255 / 16))
    write("labels-idx1-ubyte.gz", digits.target)


def write(name: str, values: np.ndarray) -> None:
    header = bytes((0, 0, 0x08, values.ndim)) + b"".join(side.to_bytes(4, "big") for side in values.shape)
    # neither a time nor a name in the gzip header, so that the bytes depend on the data alone
    (OUT / name).write_bytes(gzip.compress(header + values.astype(np.uint8).tobytes(), 9, mtime=0))


if __name__ == "__main__":
    main()
