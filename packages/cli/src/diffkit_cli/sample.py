"""diffkit sample and diffkit interpolate: pictures from a run."""

from pathlib import Path

from diffkit_samplers import slerp
from diffkit_schedules import namespace
from diffkit_trainer import save_images

from diffkit_cli.config import UsageError
from diffkit_cli.console import console, warn
from diffkit_cli.network import Sampler, open_run

__all__ = ["interpolate", "sample"]


def sample(run: Path, out: Path, *, n: int, steps: int, eta: float, seed: int, raw: bool, batch_size: int, device: str) -> None:
    """Draw n images, image i from seed + i, into one PNG grid or a folder of PNGs."""
    _check({"-n": n, "--steps": steps, "--batch-size": batch_size}, seed, n)
    if not 0 <= eta <= 1:
        raise UsageError(f"--eta must be in [0, 1] (0 = DDIM, 1 = DDPM), got {eta}")
    sampler = _open(run, raw, device)
    batches = []
    with console.status("sampling") as status:
        for pixels in sampler.images(list(range(seed, seed + n)), steps=steps, eta=eta, batch_size=batch_size):
            batches.append(pixels)
            status.update(f"sampling: {sum(len(batch) for batch in batches)} of {n}")
    save_images(namespace(batches[0]).concat(batches), out)
    console.print(f"{n} images, {steps} steps, eta {eta:g}, seed {seed}: {out}")


def interpolate(run: Path, out: Path, *, rows: int, columns: int, steps: int, seed: int, raw: bool, device: str) -> None:
    """Rows of images between two noises each, by slerp: row i goes from seed + 2i to seed + 2i + 1."""
    _check({"--rows": rows, "--columns": columns, "--steps": steps}, seed, 2 * rows)
    sampler = _open(run, raw, device)
    starts, ends = (sampler.noise(list(range(seed + first, seed + 2 * rows, 2))) for first in (0, 1))
    paths = slerp(starts, ends, [i / max(columns - 1, 1) for i in range(columns)])  # (columns, rows, C, H, W)
    with console.status("sampling"):
        batches = [sampler.from_noise(paths[:, row], steps=steps) for row in range(rows)]
    save_images(namespace(paths).concat(batches), out, columns=columns)
    console.print(f"{rows} rows of {columns} images between two noises: {out}")


def _open(run: Path, raw: bool, device: str) -> Sampler:
    with console.status(f"opening {run}"):
        sampler, step, warnings = open_run(run, raw=raw, device=device)
    for warning in warnings:
        warn(f"{warning}; using step {step}")
    return sampler


def _check(counts: dict[str, int], seed: int, images: int) -> None:
    for flag, value in counts.items():
        if not 1 <= value <= 10**6:
            raise UsageError(f"{flag} must be from 1 to {10**6}, got {value}")
    if not 0 <= seed <= 2**63 - images:
        raise UsageError(f"--seed must be from 0 to 2**63 - 1, got {seed}")
