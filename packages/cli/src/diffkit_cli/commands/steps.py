"""diffkit steps: compare numbers of sampling steps, by their images and by their time."""

import re
from pathlib import Path
from typing import Annotated

import typer

from diffkit_cli.errors import UsageError
from diffkit_cli.flags import Device, Eta, Raw, Run, Sampler, Size, Spacing, Text, Work, sampling_flag
from diffkit_cli.paths import ending_in
from diffkit_cli.sampling.options import check_seeds, parse_flags, resolve
from diffkit_cli.sampling.pretrained import DIGITS

__all__ = ["steps"]

MAX_ROWS = 50
COLUMNS = 10


def steps(
    ctx: typer.Context,
    run: Run = DIGITS,
    steps: Annotated[str, typer.Option(metavar="N,N,...", help="Numbers of steps, one row each.")] = "1,2,3,4,5,20,100",
    n: Annotated[Text, sampling_flag("n", "-n", "--number", help="Images in each row.", default=COLUMNS)] = None,
    sampler: Sampler = None,
    eta: Eta = None,
    spacing: Spacing = None,
    seed: Annotated[Text, sampling_flag("seed", default="0")] = None,
    size: Size = None,
    out: Annotated[Path, typer.Option(metavar="FILE.png", help="The figure.", callback=ending_in("--out", ".png"))] = Path(
        "steps.png"
    ),
    raw: Raw = False,
    device: Device = "auto",
) -> Work:
    """Compare numbers of sampling steps on the same noise.

    The figure has one row for each number of steps, and its sampling time.
    """
    counts = [parse_flags({"steps": count})["steps"] for count in _split(steps)]
    given = {"n": COLUMNS} | parse_flags({**ctx.params, "steps": None})
    check_seeds(given.get("seed", 0), given["n"])
    from diffkit_trainer import labelled_grid, save_png

    from diffkit_cli.sampling.generate import concatenated, times_of
    from diffkit_cli.sampling.limits import require_image
    from diffkit_cli.sampling.loading import open_model
    from diffkit_cli.sampling.metadata import options_metadata
    from diffkit_cli.sampling.timing import timed_samples
    from diffkit_cli.terminal.console import console, plural
    from diffkit_cli.terminal.progress import duration

    def work() -> None:
        loaded = open_model(run, raw=raw, device=device)
        model, own = loaded.model, loaded.model.config.sampling
        options = [resolve({**given, "steps": count}, model.schedule, model.shape[1:], own) for count in counts]
        times = [times_of(model.schedule, each) for each in options]
        one = options[0]
        require_image(out, one.n * len(counts), (model.shape[0], *one.size), columns=one.n, copies=2, folder=False)
        rows, captions = [], list[str]()
        for pixels, seconds, count in timed_samples(model, options, times):
            rows.append(pixels)
            captions.append(f"{plural(count, 'step')}\n{duration(seconds)}")
        document = {key: value for key, value in options_metadata(one).items() if key not in ("steps", "classes")}
        metadata = {"command": "steps", **loaded.metadata(), "counts": counts, **document}
        save_png(labelled_grid(concatenated(rows), captions, columns=one.n), out, metadata)
        what = f"{plural(len(counts), 'row')} of {plural(one.n, 'image')} from the same noise"
        console.print(f"{what}, {one.sampler}, seed {one.seed}: {out}")
        for caption in captions:
            console.print("  " + caption.replace("\n", ": "))

    return work


def _split(text: str) -> list[str]:
    """The numbers in a list with commas. Raises UsageError for anything else."""
    parts = [part.strip() for part in text.split(",")]
    if len(parts) > MAX_ROWS or not all(re.fullmatch(r"[0-9]{1,7}", part) for part in parts):
        raise UsageError(f"--steps must be at most {MAX_ROWS} numbers such as 1,2,5,20, got {text!r:.60}")
    return parts
