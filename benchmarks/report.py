"""What a report of benchmarks begins with, and the outputs of several runs as one, with their spread."""

import os
import platform
import re
import statistics
import time
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

__all__ = ["environment", "with_spread"]

LIBRARIES = (
    *("torch", "numpy", "pillow", "diffusers", "accelerate", "k-diffusion", "azula", "denoising-diffusion-pytorch"),
    *("diffkit-schedules", "diffkit-samplers", "diffkit-unet", "diffkit-trainer", "diffkit-cli"),
)
NUMBER = re.compile(r"(?<![\w.])[-+]?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?")


def environment() -> str:
    """The date, the machine and the versions, as a Markdown list."""
    processor = platform.processor() or platform.machine()
    if (information := Path("/proc/cpuinfo")).exists():
        processor = next((line.partition(": ")[2] for line in information.read_text().splitlines() if "model name" in line), "")
    cores, threads = os.cpu_count(), os.environ.get("OMP_NUM_THREADS", "not set")
    load = f", load {os.getloadavg()[0]:.1f} at the start" if hasattr(os, "getloadavg") else ""
    versions = [f"{library} {found}" for library in LIBRARIES if (found := _version(library))]
    return "\n".join(
        (
            f"- {time.strftime('%Y-%m-%d')}",
            f"- {processor}, {cores} cores{load}; OMP_NUM_THREADS {threads}",
            f"- {platform.system()}, Python {platform.python_version()}",
            f"- {', '.join(versions)}",
        )
    )


def with_spread(outputs: Sequence[str]) -> str:
    r"""The output of several runs of one command, its numbers as the median and (lowest to highest).

    A number that is the same in all runs stands alone. Runs whose words differ follow one another.

    >>> with_spread(["ddim 2.0 ms", "ddim 3.0 ms", "ddim 2.5 ms"])
    'ddim 2.5 (2.0 to 3.0) ms'
    >>> with_spread(["10 steps: 0.5", "10 steps: 0.5"])
    '10 steps: 0.5'
    >>> with_spread(["best ddim", "best heun"])
    'best ddim\n\nbest heun'
    """
    if len({NUMBER.sub("", output) for output in outputs}) > 1:
        return "\n\n".join(outputs)
    columns = zip(*(NUMBER.findall(output) for output in outputs), strict=True)
    merged = iter([_merged(numbers) for numbers in columns])
    return NUMBER.sub(lambda _: next(merged), outputs[0])


def _merged(numbers: Sequence[str]) -> str:
    if len(set(numbers)) == 1:
        return numbers[0]
    ordered = sorted(numbers, key=_value)
    median = min(ordered, key=lambda number: abs(_value(number) - statistics.median(map(_value, ordered))))
    return f"{median} ({ordered[0]} to {ordered[-1]})"


def _value(number: str) -> float:
    return float(number.replace(",", ""))


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return ""
