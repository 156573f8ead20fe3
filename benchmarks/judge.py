"""Whether the scores of `diffkit evaluate` rise with damage: python benchmarks/judge.py DATA [--size N] [-n N].

Real images that were not learned from are damaged by known amounts and compared with others as samples are. Prints a Markdown
table of KID x 1000 and FD by amount, and where one of them falls although the damage grows by more than the error.
"""

import argparse
from itertools import pairwise
from typing import Any

import torch
from diffkit_trainer import DAMAGES, Comparison, Images, Scores, learned_features, open_images, split_dataset
from torch import Tensor

AMOUNTS = (0.0, 0.125, 0.25, 0.5, 1.0)


def spoilt(name: str, pixels: Tensor, amount: float) -> Tensor:
    """The images, uint8, damaged by an amount from 0 to 1."""
    x = pixels.float() / 127.5 - 1
    x = DAMAGES[name](x, torch.full((len(x), 1, 1, 1), amount), torch.Generator().manual_seed(0))
    return ((x + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)


def crop(pixels: Tensor, amount: float) -> Tensor:
    """The middle of the images, enlarged: up to a quarter of each side is lost."""
    height, width = pixels.shape[2:]
    top, left = round(height * amount / 8), round(width * amount / 8)
    middle = pixels[:, :, top : height - top, left : width - left].float()
    return torch.nn.functional.interpolate(middle, (height, width), mode="bilinear").round().to(torch.uint8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data")
    parser.add_argument("--size", type=int)
    parser.add_argument("-n", "--number", type=int, default=1000)
    parser.add_argument("--held-out", type=float, default=0.1)
    options = parser.parse_args()
    images: Images = open_images(options.data, **({} if options.size is None else {"size": options.size}))
    split = split_dataset(images, fraction=options.held_out)
    features = learned_features(images, split)
    real, reference = split.real[: options.number], features(images.pixels[split.reference[: options.number]])
    pixels = images.pixels[real]
    print(f"{len(real)} real images against {len(reference)} others; {features.kind}, quality {features.quality:.1%}\n")
    print(f"| damage | {' | '.join(f'{amount:g}' for amount in AMOUNTS)} |\n|---|{'---|' * len(AMOUNTS)}")
    sets: dict[str, list[Any]] = {name: [spoilt(name, pixels, amount) for amount in AMOUNTS] for name in DAMAGES}
    sets["crop"] = [crop(pixels, amount) for amount in AMOUNTS]
    sets["few distinct"] = [pixels[torch.arange(len(pixels)) % round(len(pixels) * (1 - 0.9 * amount))] for amount in AMOUNTS]
    if images.labels is not None:
        labels = images.labels[real]
        gone = [(labels != 0) | (torch.arange(len(labels)) % 8 >= 8 * amount) for amount in AMOUNTS]
        sets["a class is rare"] = [pixels[kept] for kept in gone]
    for name, each in sets.items():
        found = [features(part) for part in each]
        compared = [Scores.of(Comparison(one, reference, torch.zeros(1))) for one in found]
        scores = [(1000 * each["kid"], each["fd"]) for each in compared]
        falls = [AMOUNTS[i + 1] for i, (a, b) in enumerate(pairwise(scores)) if b[0] < a[0] or b[1] < a[1]]
        print(
            f"| {name} | {' | '.join(f'{kid:.1f}, {fd:.2f}' for kid, fd in scores)} |{f' falls at {falls}' * bool(falls)}",
            flush=True,
        )


if __name__ == "__main__":
    main()
