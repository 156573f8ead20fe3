"""The fraction of a run's digits that a classifier recognises: python benchmarks/digits_quality.py RUN [--raw] [--steps 20].

A small convolutional classifier is trained on four fifths of the real digits. For 1,000 samples of the run and for the held-out
fifth it prints the fraction with a class probability over 0.8, and the fraction of each class.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from diffkit_trainer import open_images
from torch import Tensor, nn
from torch.nn import functional

MIN_PROBABILITY = 0.8
SAMPLES = 1000


def classifier(pixels: Tensor, labels: Tensor) -> nn.Module:
    """A network trained for 60 epochs on pixels (N, 1, 8, 8)."""
    torch.manual_seed(0)
    model = nn.Sequential(
        *(nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Dropout(0.25), nn.Flatten(), nn.Linear(1024, 128), nn.ReLU(), nn.Dropout(0.5), nn.Linear(128, 10)),
    )
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    for _ in range(60):
        for batch in torch.randperm(len(pixels)).split(64):
            optimizer.zero_grad()
            functional.cross_entropy(model(pixels[batch] / 255), labels[batch]).backward()
            optimizer.step()
    return model.eval()


@torch.no_grad()
def report(name: str, model: nn.Module, pixels: Tensor) -> None:
    """Print the fraction that is recognised, and the fraction of each class, in percent."""
    probability, label = model(pixels / 255).softmax(dim=1).max(dim=1)
    fractions = 100 * torch.bincount(label, minlength=10) / len(label)
    recognised = 100 * (probability > MIN_PROBABILITY).float().mean()
    listed = " ".join(f"{fraction:.1f}" for fraction in fractions)
    print(f"{name}: {len(label)} images, {recognised:.1f}% recognised with probability over {MIN_PROBABILITY}")
    print(f"  classes 0 to 9 in percent: {listed}; lowest {fractions.min():.1f}")


def samples(run: Path, steps: int, *, raw: bool) -> Tensor:
    """1,000 images of `diffkit sample`, (N, 1, 8, 8), of the seeds from 0."""
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable,
            "-m",
            "diffkit_cli",
            "sample",
            str(run),
            "-n",
            str(SAMPLES),
            "--steps",
            str(steps),
            "--out",
            folder,
        ]
        subprocess.run([*command, "--raw"] if raw else command, check=True)
        return open_images(folder, 8).pixels.clone()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--raw", action="store_true")
    parser.add_argument("--steps", type=int, default=20)
    options = parser.parse_args()
    real = open_images("digits")
    pixels, labels = real.pixels, torch.as_tensor(real.labels)
    order = torch.randperm(len(real), generator=torch.Generator().manual_seed(0))
    held_out, training = order[: len(real) // 5], order[len(real) // 5 :]
    model = classifier(pixels[training], labels[training])
    correct = (model(pixels[held_out] / 255).argmax(dim=1) == labels[held_out]).float().mean()
    print(f"classifier: {100 * correct:.1f}% of held-out digits classified correctly")
    report("real digits held out", model, pixels[held_out])
    report(f"samples of {options.run}", model, samples(options.run, options.steps, raw=options.raw))


if __name__ == "__main__":
    main()
