"""diffkit steps: compare numbers of sampling steps, by their images and by their time."""

from pathlib import Path
from typing import Annotated

import typer

from diffkit_cli.bundled import DEFAULT
from diffkit_cli.flags import Device, Force, Raw, Run, Work, sampling_flags
from diffkit_cli.paths import ending_in
from diffkit_cli.sampling.options import Given
from diffkit_cli.sampling.parse import parse_counts

__all__ = ["steps"]

COLUMNS = 10


@sampling_flags(
    *("n", "sampler", "eta", "spacing", "seed", "size", "classes", "conditions", "guidance", "step"),
    defaults={"n": COLUMNS},
    help={"n": "Images in each row."},
)
def steps(
    run: Run = DEFAULT,
    *,
    steps: Annotated[str, typer.Option(metavar="N,N,...", help="Numbers of steps, one row each.")] = "1,2,3,4,5,20,100",
    given: Given,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.png",
            help="The figure. Default: steps.png, numbered if another image has the name.",
            callback=ending_in("--out", ".png"),
        ),
    ] = None,
    force: Force = False,
    raw: Raw = False,
    device: Device = "auto",
) -> Work:
    """Compare numbers of sampling steps on the same noise.

    The figure has one row for each number of steps, and its sampling time.
    """
    counts = parse_counts(steps)
    from diffkit_trainer import as_pixels, labelled_grid, save_png

    from diffkit_cli.sampling.generate import concatenated
    from diffkit_cli.sampling.limits import require_image
    from diffkit_cli.sampling.loading import open_model
    from diffkit_cli.sampling.outputs import output_path
    from diffkit_cli.sampling.plan import comparison_metadata, make_plan
    from diffkit_cli.sampling.timing import timed_samples
    from diffkit_cli.terminal.console import console, plural
    from diffkit_cli.terminal.progress import counting, duration

    def work() -> None:
        loaded = open_model(run, raw=raw, step=given.get("step"), device=device)
        plans = [make_plan(loaded, {"n": COLUMNS, **given, "steps": count}) for count in counts]
        options, shape = plans[0].options, plans[0].shape
        captions = plans[0].captions * len(counts)
        images = options.n * len(counts)
        metadata = comparison_metadata(plans)
        path = output_path(out, "steps.png", metadata, force=force)
        require_image(path, images, shape, columns=options.n, captioned=bool(captions), copies=2, folder=False)
        rows, labels = [], list[str]()
        with counting("sampling steps") as on_progress:
            for plan, (pixels, seconds, count) in zip(plans, timed_samples(plans, on_progress), strict=True):
                rows.append(pixels)
                labels.append(f"{plural(count, 'step')}{', tuned' if plan.by_tune else ''}\n{duration(seconds)}")
        figure = labelled_grid(as_pixels(concatenated(rows)), labels, columns=options.n, captions=captions)
        save_png(figure, path, metadata)
        what = f"{plural(len(counts), 'row')} of {plural(options.n, 'image')} from {loaded.name}, of the same noise"
        samplers = dict.fromkeys(f"{plan.options.sampler}{plan.by_tune}" for plan in plans)
        console.print(f"{what}, {' and '.join(samplers)}, seed {options.seed}: {path}")
        for label in labels:
            console.print("  " + label.replace("\n", ": "))

    return work
