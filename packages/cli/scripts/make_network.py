"""Trains the network that comes with diffkit-cli and writes it to where it is shipped: a quarter of an hour of one CPU core.

The same torch, processor and one thread (OMP_NUM_THREADS=1) give the same weights; others draw images as good. The whole config
travels in the file: where `diffkit train` has got a new key, the sum differs with the same weights.
"""

import hashlib
import subprocess
import sys
import tempfile
from pathlib import Path

OUT = Path(__file__).parents[1] / "src" / "diffkit_cli" / "digits" / "model.safetensors"
TRAIN = ["train", "--preset", "tiny", "--steps", "10000", "--seed", "0", "--no-classes"]
SETTINGS = ("lr_schedule=cosine", "sample_every=5000", "save_every=5000", "log_every=500")


def diffkit(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "diffkit_cli", *arguments], check=True)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        run = str(Path(folder) / "digits")
        diffkit(*TRAIN, *(word for setting in SETTINGS for word in ("--set", setting)), "--out", run)
        diffkit("export", run, "--half", "--out", str(OUT))
    sys.stdout.write(f"{hashlib.sha256(OUT.read_bytes()).hexdigest()}  {OUT.name}\n")


if __name__ == "__main__":
    main()
