"""How many of a run's digits a classifier reads: python benchmarks/digits_quality.py RUN [--raw] [--steps 20].

A small convolutional classifier is trained on four fifths of the real digits. For 1,000 samples of the run and for the fifth it
never saw, the share that it gives a class with probability over 0.8 is printed, and the share of each class.
"""

import argparse
from pathlib import Path

import torch
from diffkit_cli.sampling.loading import load_model
from diffkit_trainer import open_images
from torch import Tensor, nn
from torch.nn import functional

SURE = 0.8


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
    """Print the share that is read with certainty, and the classes' shares in percent."""
    sure, label = model(pixels / 255).softmax(dim=1).max(dim=1)
    shares = torch.bincount(label, minlength=10) / len(label)
    listed = " ".join(f"{100 * share:.1f}" for share in shares)
    print(f"{name}: {len(label)} images, {100 * (sure > SURE).float().mean():.1f}% read with probability over {SURE}")
    print(f"  share of each class 0 to 9 in percent: {listed}; least {100 * shares.min():.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--raw", action="store_true")
    parser.add_argument("--steps", type=int, default=20)
    options = parser.parse_args()
    real = open_images("digits")
    order = torch.randperm(len(real), generator=torch.Generator().manual_seed(0))
    held, seen = order[: len(real) // 5], order[len(real) // 5 :]
    model = classifier(real.pixels[seen], real.labels[seen])
    correct = (model(real.pixels[held] / 255).argmax(dim=1) == real.labels[held]).float().mean()
    print(f"classifier: {100 * correct:.1f}% of held-out digits right")
    report("real digits held out", model, real.pixels[held])
    loaded = load_model(options.run, raw=options.raw, device="cpu")
    noises = (loaded.model.noise(list(range(first, first + 250))) for first in range(0, 1000, 250))
    samples = torch.cat([loaded.model.from_noise(noise, steps=options.steps) for noise in noises])
    report(f"samples of {options.run} at step {loaded.step}", model, samples)


if __name__ == "__main__":
    main()
