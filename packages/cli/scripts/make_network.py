"""Trains a network that comes with diffkit-cli and writes it to where it is shipped: make_network.py digits | fashion FOLDER.

FOLDER has the four IDX files of Fashion-MNIST (https://github.com/zalandoresearch/fashion-mnist, MIT licence). It takes a quarter
of an hour of one CPU core for the digits, half an hour for Fashion-MNIST. The same torch, processor and one thread
(OMP_NUM_THREADS=1) give the same weights; others sample images as good. The whole config travels in the file: where `diffkit
train` has got a new key, the sum differs with the same weights.
"""

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from diffkit_cli.bundled import BUNDLED
from safetensors import safe_open
from safetensors.torch import save_file

TRAIN = {
    "digits": ["--preset", "tiny", "--steps", "10000", "--no-classes", "--set", "lr_schedule=cosine"],
    "fashion": ["--preset", "images-32-small", "--steps", "6000"],
}
SETTINGS = ("sample_every=2000", "save_every=2000", "log_every=100")
CLASSES = ["t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle-boot"]
"""The names of the classes 0 to 9 of Fashion-MNIST, which IDX files do not hold."""


def diffkit(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "diffkit_cli", *arguments], check=True)


def rename(path: Path, **data: Any) -> None:
    """Change what the file says of its data."""
    with safe_open(path, "pt") as file:
        stored, tensors = file.metadata(), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    document = json.loads(stored["diffkit"])
    document["config"]["data"] |= data
    save_file(tensors, path, metadata=stored | {"diffkit": json.dumps(document)})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=TRAIN)
    parser.add_argument("data", nargs="?", default="digits")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    out = options.out or BUNDLED[options.name]
    with tempfile.TemporaryDirectory() as folder:
        run = str(Path(folder) / options.name)
        settings = [word for setting in SETTINGS for word in ("--set", setting)]
        diffkit("train", options.data, "--seed", "0", *TRAIN[options.name], *settings, "--out", run)
        diffkit("export", run, "--half", "--force", "--out", str(out))
    if options.name == "fashion":
        rename(out, source="fashion-mnist", classes=CLASSES)
    sys.stdout.write(f"{hashlib.sha256(out.read_bytes()).hexdigest()}  {out.name}\n")


if __name__ == "__main__":
    main()
