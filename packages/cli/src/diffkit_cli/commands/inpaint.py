"""diffkit inpaint: generate the masked part of an image."""

from pathlib import Path
from typing import Annotated, Any

import typer

from diffkit_cli.flags import Device, Force, Gif, Raw, WebP, Work, out_flag, sampling_flags
from diffkit_cli.sampling.options import OPTIONS, Given

__all__ = ["inpaint"]

DEFAULTS: dict[str, Any] = {"n": 8, "sampler": "ddim", "steps": 20, "eta": 1.0, "spacing": "uniform", "start": "noise"}
"""eta 1: the noise of each step fits the generated part to the known part."""


@sampling_flags(
    *("n", "sampler", "steps", "rounds", "eta", "spacing", "seed", "size", "classes", "conditions", "guidance", "step"),
    defaults=DEFAULTS,
    help={"classes": "Class, by name or number; repeat the flag for several in turn. Default: none, the null class."},
)
def inpaint(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder, RUN@STEP, or a file of diffkit export.")],
    image: Annotated[Path, typer.Argument(metavar="IMAGE", help="The image, resized and cropped to the run's size.")],
    *,
    mask: Annotated[Path, typer.Option(metavar="MASK", help="Image of the same size: white is generated, black is kept.")],
    given: Given,
    out: Annotated[Path | None, out_flag("inpainted.png")] = None,
    force: Force = False,
    gif: Gif = None,
    webp: WebP = None,
    raw: Raw = False,
    device: Device = "auto",
) -> Work:
    """Generate the masked part of an image."""
    rounds = given.get("rounds", OPTIONS["rounds"].default)
    animations = [path for path in (gif, webp) if path is not None]
    from functools import partial

    from diffkit_samplers import inpaint as keep_known
    from diffkit_schedules import as_array_of, namespace
    from diffkit_trainer import read_mask, save_animation

    from diffkit_cli.sampling.class_labels import null_class
    from diffkit_cli.sampling.generate import frame_steps, generate
    from diffkit_cli.sampling.init_image import clean_image
    from diffkit_cli.sampling.limits import require_animations, require_image
    from diffkit_cli.sampling.loading import open_model
    from diffkit_cli.sampling.outputs import output_of
    from diffkit_cli.sampling.plan import make_plan
    from diffkit_cli.sampling.writer import write_samples
    from diffkit_cli.terminal.console import console, plural, warn
    from diffkit_cli.terminal.progress import counting

    def work() -> None:
        loaded = open_model(run, raw=raw, step=given.get("step"), device=device)
        plan = make_plan(loaded, {"classes": null_class(loaded.model.config)} | DEFAULTS | given)
        model, options = plan.model, plan.options
        x0 = clean_image(model, image, options.size)
        white = read_mask(mask, image, (x0.shape[1], x0.shape[2]))
        fraction = float(namespace(white).mean(as_array_of(white, model.like)))
        if fraction in (0, 1):
            warn(f"{mask} is all {'white: nothing of the image is kept' if fraction else 'black: nothing is generated'}")
        known = as_array_of(~white, model.like)
        captions, metadata = plan.captions, plan.metadata("inpaint", image=image, mask=mask) | {"rounds": rounds}
        inputs = image, mask
        output = output_of(out, "inpainted.png", metadata, options.n, also=animations, inputs=inputs, force=force)
        require_image(output.path, options.n, plan.shape, captioned=bool(captions))
        frames = len(frame_steps(len(plan.times) - 1))
        require_animations(animations, frames, options.n, plan.shape, captioned=bool(captions))
        wrap = partial(keep_known, known=x0, mask=known)
        with counting("sampling steps") as on_progress:
            shown, kept = bool(animations), output.kept
            samples = generate(plan, wrap=wrap, rounds=rounds, frames=shown, kept=kept, on_progress=on_progress)
            pixels = write_samples(samples, output, captions=captions)
        for film in animations:
            save_animation(pixels, film, output.metadata, captions=captions)
        how = f"{fraction:.0%} generated, {options}, {plural(rounds, 'round')} each, seed {options.seed}"
        files = ", ".join(map(str, (output, *animations)))
        console.print(f"{plural(options.n, 'image')} from {loaded.name}, {how}: {files}")

    return work
