"""diffkit sample: generate images from a run."""

from pathlib import Path
from typing import Annotated

import typer

from diffkit_cli.errors import UsageError
from diffkit_cli.flags import (
    Device,
    Eta,
    Gif,
    Out,
    Run,
    Sampler,
    Size,
    Spacing,
    Steps,
    Text,
    WebP,
    Work,
    sampling_flag,
)
from diffkit_cli.sampling.options import check_seeds, parse_flags, resolve
from diffkit_cli.sampling.pretrained import DIGITS, name_of

__all__ = ["sample"]


def sample(
    ctx: typer.Context,
    run: Run = DIGITS,
    n: Annotated[Text, sampling_flag("n", "-n", "--number", default=16)] = None,
    sampler: Sampler = None,
    steps: Steps = None,
    eta: Eta = None,
    spacing: Spacing = None,
    seed: Annotated[Text, sampling_flag("seed", default="0")] = None,
    size: Size = None,
    classes: Annotated[list[str] | None, sampling_flag("classes", "--class")] = None,
    guidance: Annotated[Text, sampling_flag("guidance")] = None,
    like: Annotated[
        Path | None, typer.Option(metavar="FILE.png", help="Reproduce this PNG; other options override its own.")
    ] = None,
    init: Annotated[Path | None, typer.Option(metavar="IMAGE", help="Start from this image instead of noise (SDEdit).")] = None,
    strength: Annotated[Text, sampling_flag("strength", default=0.6)] = None,
    out: Out = Path("samples.png"),
    gif: Gif = None,
    webp: WebP = None,
    raw: Annotated[
        bool | None, typer.Option("--raw/--ema", help="Use the raw weights, or their moving average (EMA, the default).")
    ] = None,
    batch_size: Annotated[Text, sampling_flag("batch_size")] = None,
    device: Device = "auto",
) -> Work:
    """Generate images from a run."""
    given = parse_flags(ctx.params) | ({} if raw is None else {"raw": raw})
    animations = [path for path in (gif, webp) if path is not None]
    from diffkit_trainer import save_animation

    from diffkit_cli.sampling.class_labels import class_labels, classes_in_turn
    from diffkit_cli.sampling.generate import frame_steps, generate, times_of
    from diffkit_cli.sampling.init_image import open_init
    from diffkit_cli.sampling.limits import require_animations, require_image
    from diffkit_cli.sampling.loading import open_model
    from diffkit_cli.sampling.metadata import (
        image_metadata,
        options_metadata,
        options_to_reproduce,
        read_sample_metadata,
    )
    from diffkit_cli.sampling.writer import write_samples
    from diffkit_cli.terminal.console import console, plural, warn

    def work() -> None:
        before = read_sample_metadata(like) if like else None
        if like and like.resolve() == out.resolve():
            raise UsageError(f"--out {out} would overwrite what --like reads: give another --out")
        chosen = options_to_reproduce(before, given) if before else given
        loaded = open_model(run, raw=chosen.get("raw", False), device=device)
        if before and before.weights != loaded.weights:
            weights = f"weights {before.weights}; {name_of(run)} has {loaded.weights}"
            warn(f"{like} was generated with other {weights}: the images will differ")
        model = loaded.model
        chosen = {"classes": classes_in_turn(model.config)} | chosen
        options = resolve(chosen, model.schedule, model.shape[1:], model.config.sampling)
        check_seeds(options.seed, options.n)
        start, started = open_init(model, options.size, init, given.get("strength"), like, before)
        times, shape = times_of(model.schedule, options, start), (model.shape[0], *options.size)
        require_image(out, options.n, shape)
        require_animations(animations, len(frame_steps(len(times) - 1)), options.n, shape)
        samples = generate(
            model,
            options,
            times,
            batch_size=given.get("batch_size"),
            labels=class_labels(model.config, options.classes, options.n, options.guidance),
            init=start,
            frames=bool(animations),
        )
        metadata = {"command": "sample", **loaded.metadata(), **options_metadata(options), **started}
        single = options.n == 1 and before is not None and not before.grid
        grid = {**metadata, "grid": True} if out.suffix.lower() == ".png" and not single else None
        frames = write_samples(samples, out, lambda i: grid or image_metadata(metadata, i), single=single)
        for path in animations:
            save_animation(frames, path)
        console.print(f"{plural(options.n, 'image')}, {options}, seed {options.seed}: {', '.join(map(str, (out, *animations)))}")

    return work
