"""diffkit inpaint: generate the masked part of an image."""

from pathlib import Path
from typing import Annotated, Any

import typer

from diffkit_cli.flags import Device, Gif, Out, Raw, Sampler, Size, Spacing, Text, WebP, Work, sampling_flag
from diffkit_cli.sampling.options import OPTIONS, check_seeds, parse_flags, resolve

__all__ = ["inpaint"]

DEFAULTS: dict[str, Any] = {"n": 8, "steps": 20, "eta": 1.0}
"""eta 1: the noise of each step fits the generated part to the known part."""


def inpaint(
    ctx: typer.Context,
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder, or a file of diffkit export.")],
    image: Annotated[Path, typer.Argument(metavar="IMAGE", help="The image, resized and cropped to the run's size.")],
    mask: Annotated[Path, typer.Option(metavar="MASK", help="Image of the same size: white is generated, black is kept.")],
    n: Annotated[Text, sampling_flag("n", "-n", "--number", default=DEFAULTS["n"])] = None,
    sampler: Sampler = None,
    steps: Annotated[Text, sampling_flag("steps", default=DEFAULTS["steps"])] = None,
    rounds: Annotated[Text, sampling_flag("rounds", default=5)] = None,
    eta: Annotated[Text, sampling_flag("eta", default="1")] = None,
    spacing: Spacing = None,
    seed: Annotated[Text, sampling_flag("seed", default="0")] = None,
    size: Size = None,
    out: Out = Path("inpainted.png"),
    gif: Gif = None,
    webp: WebP = None,
    raw: Raw = False,
    device: Device = "auto",
) -> Work:
    """Generate the masked part of an image."""
    given = DEFAULTS | parse_flags(ctx.params)
    number_of_rounds = given.get("rounds", OPTIONS["rounds"].default)
    check_seeds(given.get("seed", 0), given["n"])
    animations = [path for path in (gif, webp) if path is not None]
    from functools import partial

    from diffkit_samplers import inpaint as keep_known
    from diffkit_schedules import as_array_of, namespace
    from diffkit_trainer import read_mask, save_animation

    from diffkit_cli.sampling.generate import frame_steps, generate, times_of
    from diffkit_cli.sampling.init_image import clean_image
    from diffkit_cli.sampling.limits import require_animations, require_image
    from diffkit_cli.sampling.loading import open_model
    from diffkit_cli.sampling.metadata import options_metadata
    from diffkit_cli.sampling.writer import write_samples
    from diffkit_cli.terminal.console import console, plural, warn

    def work() -> None:
        loaded = open_model(run, raw=raw, device=device)
        model = loaded.model
        options = resolve(given, model.schedule, model.shape[1:])
        x0 = clean_image(model, image, options.size)
        white = read_mask(mask, image, options.size)
        fraction = float(namespace(white).mean(as_array_of(white, model.like)))
        if fraction in (0, 1):
            warn(f"{mask} is all {'white: nothing of the image is kept' if fraction else 'black: nothing is generated'}")
        known = as_array_of(~white, model.like)
        times, shape = times_of(model.schedule, options), (model.shape[0], *options.size)
        require_image(out, options.n, shape)
        require_animations(animations, len(frame_steps(len(times) - 1)), options.n, shape)
        wrap = partial(keep_known, known=x0, mask=known)
        samples = generate(model, options, times, wrap=wrap, rounds=number_of_rounds, frames=bool(animations))
        metadata = {"command": "inpaint", **loaded.metadata(), "rounds": number_of_rounds, **options_metadata(options)}
        frames = write_samples(samples, out, lambda i: {**metadata, "seed": options.seed + i})
        for path in animations:
            save_animation(frames, path)
        how = f"{fraction:.0%} generated, {options}, {plural(number_of_rounds, 'round')} each, seed {options.seed}"
        console.print(f"{plural(options.n, 'image')}, {how}: {', '.join(map(str, (out, *animations)))}")

    return work
