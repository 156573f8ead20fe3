"""diffkit inpaint: generate the masked part of an image."""

from pathlib import Path
from typing import Annotated

import typer

from diffkit_cli.flags import Device, Force, Gif, Raw, WebP, Work, out_flag, sampling_flags
from diffkit_cli.sampling.options import INPAINT_DEFAULTS, OPTIONS, Given

__all__ = ["inpaint"]


@sampling_flags(
    *("n", "sampler", "steps", "rounds", "eta", "spacing", "seed", "size", "classes", "conditions", "guidance", "step"),
    defaults=INPAINT_DEFAULTS,
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
    from diffkit_trainer import save_animation

    from diffkit_cli.sampling.class_labels import null_class
    from diffkit_cli.sampling.generate import frame_steps, generate
    from diffkit_cli.sampling.inpainting import open_inpainting
    from diffkit_cli.sampling.limits import require_animations, require_image
    from diffkit_cli.sampling.loading import open_model
    from diffkit_cli.sampling.outputs import output_of
    from diffkit_cli.sampling.plan import make_plan
    from diffkit_cli.sampling.writer import write_samples
    from diffkit_cli.terminal.console import console, plural, warn
    from diffkit_cli.terminal.progress import counting

    def work() -> None:
        loaded = open_model(run, raw=raw, step=given.get("step"), device=device)
        plan = make_plan(loaded, {"classes": null_class(loaded.model.config)} | INPAINT_DEFAULTS | given)
        options = plan.options
        wrap, fraction = open_inpainting(plan.model, image, mask, options.size)
        if fraction in (0, 1):
            warn(f"{mask} is all {'white: nothing of the image is kept' if fraction else 'black: nothing is generated'}")
        captions, metadata = plan.captions, plan.metadata("inpaint", image=image, mask=mask) | {"rounds": rounds}
        inputs = image, mask
        output = output_of(out, "inpainted.png", metadata, options.n, also=animations, inputs=inputs, force=force)
        require_image(output.path, options.n, plan.shape, captioned=bool(captions))
        frames = len(frame_steps(len(plan.times) - 1))
        require_animations(animations, frames, options.n, plan.shape, captioned=bool(captions))
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
