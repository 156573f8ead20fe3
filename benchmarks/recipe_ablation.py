"""One change of the default recipe at a time, at equal minutes: python benchmarks/recipe_ablation.py DATA --time 2m [--out RUNS].

Each variant is a run of `diffkit train DATA --time TIME` with further options, for each seed. `diffkit evaluate` scores it with
the same seeds of samples and the same features, against the held-out part of DATA. A run that is there already is not trained
again: a long table can be made in several goes. Prints a Markdown table; of several seeds the range. Let nothing else run.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from diffkit_trainer import checkpoints, read_config

VARIANTS: dict[str, Sequence[str]] = {
    "default": [],
    "without the linear part": ["--set", "linear=false"],
    "AdamW, lr 1e-3": ["--set", "optimiser=adamw", "--lr", "1e-3"],
    "float32": ["--set", "precision=fp32"],
    "times uniform, not stratified": ["--set", "times=uniform"],
    "mae": ["--set", "loss=mae"],
    "constant learning rate": ["--set", "lr_schedule=constant"],
    "without classes": ["--no-classes"],
    "preset small": ["--preset", "small", "--set", "held_out={held_out}"],
    "preset tutorial": ["--preset", "tutorial", "--set", "held_out={held_out}"],
}
SAMPLING: dict[str, Sequence[str]] = {
    "without guidance": ["--guidance", "1"],
    "by DDIM, uniform spacing": ["--sampler", "ddim", "--spacing", "uniform"],
}
COLUMNS: dict[str, Callable[[float], str]] = {
    "kid": lambda value: f"{1000 * value:.1f}",
    "fd": "{:.2f}".format,
    "recognised": "{:.1%}".format,
}


def diffkit(*words: object) -> str:
    """The output of a command of diffkit."""
    command = [sys.executable, "-m", "diffkit_cli", *map(str, words)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def scores(run: Path, number: int, options: Sequence[str] = ()) -> dict[str, Any]:
    """What `diffkit evaluate` finds."""
    return json.loads(diffkit("evaluate", run, "-n", number, "--json", *options))


def row(name: str, found: Sequence[dict[str, Any]], images: Sequence[int] = ()) -> str:
    """A line of the table: the range of the images and of each score over the seeds."""
    cells = [name, _range(images, "{:,}".format)]
    cells += [_range([each[key] for each in found if key in each], text) for key, text in COLUMNS.items()]
    return f"| {' | '.join(cells)} |"


def _range(values: Sequence[Any], text: Callable[[Any], str]) -> str:
    return " to ".join(dict.fromkeys(map(text, (min(values), max(values))))) if values else ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data")
    parser.add_argument("--time", default="2m")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("-n", "--number", type=int, default=1000)
    parser.add_argument("--only", nargs="*", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("--out", type=Path, default=Path("runs/ablation"))
    options = parser.parse_args()
    held_out, real = 0.1, None
    print(f"| {options.time} of {options.data} | images trained on | KID x 1000 | FD | recognised |\n|---|---|---|---|---|")
    for name in options.only:
        runs = [options.out / name.replace(" ", "_").replace(",", "") / str(seed) for seed in range(options.seeds)]
        for seed, run in enumerate(runs):
            if not any(checkpoints(run)):
                words = [word.format(held_out=held_out) for word in VARIANTS[name]]
                diffkit("train", options.data, "--out", run, "--time", options.time, "--seed", seed, *words)
        training = [read_config(run)["training"] for run in runs]
        held_out = training[0]["held_out"] or held_out  # the fraction that the default has: the others get the same
        found = [scores(run, options.number) for run in runs]
        real = real or found[0]["real"]
        images = [each["steps"] * each["batch_size"] for each in training]
        print(row(name, [each["samples"] for each in found], images), flush=True)
        for sampling, chosen in SAMPLING.items() if name == "default" else ():
            sampled = [scores(run, options.number, chosen)["samples"] for run in runs]
            print(row(f"default, sampled {sampling}", sampled), flush=True)
    print(row("real images that were trained on", [real or {}]))


if __name__ == "__main__":
    main()
