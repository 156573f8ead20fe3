"""Makes every table and plot of benchmarks/README.md, with the date, the machine, the versions and the spread.

Usage: python -m benchmarks [--quick] [--repeat 3] [--data FASHION] [--minutes 10] [--keras PYTHON] [--only WORD] [--out FOLDER]

Commands that measure times run --repeat times. --quick runs all of them once with small settings, in a few minutes: it proves
that they run, and its numbers mean nothing. Tables of trainings on DATA, such as the folder with the four files of Fashion-MNIST,
need --data; those of Keras need --keras, a Python interpreter with TensorFlow. Let nothing else run.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.report import environment, with_spread

HERE = Path(__file__).parent


class Table(NamedTuple):
    """A heading, and the commands below it: their words in full, and those that --quick adds or takes in their place."""

    heading: str
    command: str
    quick: str
    repeats: bool = True


def tables(options: argparse.Namespace) -> Iterator[Table]:
    """All tables that can be made with these options."""
    digits, fashion = options.out / "digits", options.out / "fashion"
    yield Table("Digits: training", f"-m diffkit_cli train --out {digits}", "--steps 4 --batch-size 8", repeats=False)
    yield Table("Digits: how well they come out", f"digits_quality.py {digits}", "--steps 2", repeats=False)
    yield Table("Samplers: exactness", "sampler_error.py", "", repeats=False)
    yield Table("Samplers: few evaluations, a mixture", "solver_error.py", "", repeats=False)
    yield Table("Samplers: few evaluations, a network", "solver_error.py --network digits", "", repeats=False)
    yield Table("Samplers: the DDIM paper's tables", f"sampler_plots.py {options.out / 'ddim.png'}", "", repeats=False)
    yield Table("Samplers: cost of a step", "sampler_step.py", "")
    keras = f" --keras {options.keras}" if options.keras else ""
    yield Table("U-Net: speed, two threads", f"unet_speed.py{keras}", "--rounds 1 --only diffkit mapped")
    yield Table("U-Net: speed, one thread", f"unet_speed.py --threads 1 --rounds 5{keras}", "--rounds 1 --only plain diffusers")
    yield Table("U-Net: the hardware's limit", "unet_speed_limit.py", "")
    yield Table("Trainer: overhead", "trainer_overhead.py --pairs 12", "--pairs 1 --batch 2")
    yield Table("Trainer: diffusers' example", "trainer_peers.py --pairs 20", "--pairs 1")
    if not options.data:
        return
    short, few = "--size 8", "-n 40"
    training = f"-m diffkit_cli train {options.data} --out {fashion} --time {options.minutes}m"
    yield Table("Data: training", training, f"--time 5s {short}", repeats=False)
    yield Table("Data: evaluation", f"-m diffkit_cli evaluate {fashion} -n 1000", few, repeats=False)
    yield Table("Data: the judge", f"judge.py {options.data}", f"{few} {short}", repeats=False)
    peers = f"recipe_peers.py {fashion} {options.data} --minutes {options.minutes}"
    yield Table("Data: other libraries", peers, f"--minutes 0.1 {few}", repeats=False)
    ablation = f"recipe_ablation.py {options.data} --time {options.minutes}m --out {options.out / 'ablation'}"
    yield Table("Data: the recipe, one change at a time", ablation, f"--time 5s {few} --seeds 1", repeats=False)


def run(words: Sequence[str]) -> str:
    """What a command prints; where it fails, the end of its error."""
    program = list(words) if words[0] == "-m" else [str(HERE / words[0]), *words[1:]]
    done = subprocess.run([sys.executable, *program], capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else f"failed: {done.stderr.strip()[-300:]}"


def main() -> int:
    """Write the report to FOLDER/README.md; 1 where a command failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--data")
    parser.add_argument("--minutes", type=int, default=10)
    parser.add_argument("--keras")
    parser.add_argument("--only", default="", help="tables whose heading has this word")
    parser.add_argument("--out", type=Path, default=Path("build/benchmarks"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    sections = ["# Benchmarks", environment()]
    failed = False
    for table in tables(options):
        if options.only.lower() not in table.heading.lower():
            continue
        words = [*table.command.split(), *(table.quick.split() if options.quick else [])]
        times = options.repeat if table.repeats and not options.quick else 1
        begun = time.perf_counter()
        outputs = [run(words) for _ in range(times)]
        failed |= any(output.startswith("failed: ") for output in outputs)
        took = f"{times} runs" if times > 1 else "1 run"
        lines = f"`python {' '.join(words)}`, {took}, {time.perf_counter() - begun:.0f} s"
        sections.append(f"## {table.heading}\n\n{lines}\n\n{with_spread(outputs)}")
        print(f"{sections[-1]}\n", flush=True)
        (options.out / "README.md").write_text("\n\n".join(sections) + "\n", "utf-8")
    return failed


if __name__ == "__main__":
    sys.exit(main())
