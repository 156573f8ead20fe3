"""diffkit sample: generate images from a run. Its flags are the options of sampling/options.py and those below."""

from pathlib import Path
from typing import Annotated

import typer

from diffkit_cli.bundled import DEFAULT
from diffkit_cli.flags import Device, Force, Gif, Run, WebP, Work, out_flag, sampling_flags
from diffkit_cli.sampling.options import OF_SAMPLE, Given

__all__ = ["sample"]


@sampling_flags(
    *OF_SAMPLE,
    help={
        "classes": "Class, by name or number, or none; repeat the flag for several in turn. "
        "Default: every class in turn; with --init none, the null class."
    },
)
def sample(
    run: Run = DEFAULT,
    *,
    given: Given,
    like: Annotated[
        Path | None, typer.Option(metavar="FILE.png", help="Reproduce this PNG; other options override its own.")
    ] = None,
    init: Annotated[Path | None, typer.Option(metavar="IMAGE", help="Start from this image instead of noise (SDEdit).")] = None,
    out: Annotated[Path | None, out_flag("samples.png")] = None,
    force: Force = False,
    gif: Gif = None,
    webp: WebP = None,
    raw: Annotated[
        bool | None, typer.Option("--raw/--ema", help="Use the raw weights, or their moving average (EMA, the default).")
    ] = None,
    device: Device = "auto",
) -> Work:
    """Generate images from a run."""
    animations = [path for path in (gif, webp) if path is not None]
    from diffkit_trainer import checkpoints, save_animation

    from diffkit_cli.sampling.generate import frame_steps, generate
    from diffkit_cli.sampling.limits import require_animations, require_image
    from diffkit_cli.sampling.loading import open_model
    from diffkit_cli.sampling.metadata import file_metadata, read_sample_metadata
    from diffkit_cli.sampling.outputs import output_of
    from diffkit_cli.sampling.plan import make_plan, other_weights
    from diffkit_cli.sampling.writer import write_samples
    from diffkit_cli.terminal.console import console, warn
    from diffkit_cli.terminal.progress import counting

    def work() -> None:
        before = read_sample_metadata(like) if like else None
        step = given.get("step")
        if before and step is None and before.step in dict(checkpoints(run)):
            step = before.step
        loaded = open_model(run, raw=before.raw if before and raw is None else bool(raw), step=step, device=device)
        if like and before and before.weights != loaded.weights:
            warn(other_weights(like, before, loaded))
        plan = make_plan(loaded, given, init=init, like=before)
        captions, metadata, images = plan.captions, plan.metadata("sample"), plan.options.n
        inputs, single = (like, init, *map(Path, given.get("given", ()))), plan.single
        output = output_of(out, "samples.png", metadata, images, single=single, also=animations, inputs=inputs, force=force)
        require_image(output.path, images, plan.shape, captioned=bool(captions))
        frames = len(frame_steps(len(plan.times) - 1))
        require_animations(animations, frames, images, plan.shape, captioned=bool(captions))
        with counting("sampling steps") as on_progress:
            batch_size, shown = given.get("batch_size"), bool(animations)
            samples = generate(plan, batch_size=batch_size, frames=shown, kept=output.kept, on_progress=on_progress)
            pixels = write_samples(samples, output, captions=captions, single=single)
        for film in animations:
            save_animation(pixels, film, file_metadata(metadata), captions=captions)
        console.print(f"{plan}: {', '.join(map(str, (output, *animations)))}")

    return work
