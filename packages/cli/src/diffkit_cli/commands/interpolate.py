"""diffkit interpolate: images between two noises, or between two images."""

from pathlib import Path
from typing import Annotated

import typer

from diffkit_cli.errors import UsageError, flag
from diffkit_cli.flags import Device, Gif, Out, Raw, Run, Size, Spacing, Text, WebP, Work, sampling_flag
from diffkit_cli.sampling.options import OPTIONS, check_seeds, parse_flags, resolve
from diffkit_cli.sampling.pretrained import DIGITS

__all__ = ["interpolate"]

STEPS_BETWEEN_IMAGES = 50


def interpolate(
    ctx: typer.Context,
    run: Run = DIGITS,
    rows: Annotated[Text, sampling_flag("rows", default=5)] = None,
    columns: Annotated[Text, sampling_flag("columns", default=11)] = None,
    from_image: Annotated[Path | None, typer.Option("--from", metavar="IMAGE", help="Interpolate from this image.")] = None,
    to_image: Annotated[Path | None, typer.Option("--to", metavar="IMAGE", help="Interpolate to this image.")] = None,
    steps: Annotated[Text, sampling_flag("steps", default=f"20; between images {STEPS_BETWEEN_IMAGES}")] = None,
    spacing: Spacing = None,
    seed: Annotated[Text, sampling_flag("seed", help="Row i interpolates from seed + 2i to seed + 2i + 1.", default="0")] = None,
    size: Size = None,
    out: Out = Path("interpolation.png"),
    gif: Gif = None,
    webp: WebP = None,
    raw: Raw = False,
    device: Device = "auto",
) -> Work:
    """Interpolate between two seeds or two images."""
    given = parse_flags(ctx.params)
    images = [path for path in (from_image, to_image) if path is not None]
    if len(images) == 1:
        raise UsageError(f"--from and --to are given together, got {images[0]} only")
    if images and (noises := [flag(name) for name in ("rows", "seed") if name in given]):
        raise UsageError(f"--from and --to replace the noises: leave out {' '.join(noises)}")
    number_of_rows = 1 if images else given.get("rows", OPTIONS["rows"].default)
    number_of_columns = given.get("columns", OPTIONS["columns"].default)
    check_seeds(given.get("seed", 0), 2 * number_of_rows)
    animations = [path for path in (gif, webp) if path is not None]
    from diffkit_trainer import save_animation

    from diffkit_cli.run_config import Sampling
    from diffkit_cli.sampling.generate import times_of
    from diffkit_cli.sampling.init_image import file_hash
    from diffkit_cli.sampling.interpolation import between, encoded_images, noise_pairs
    from diffkit_cli.sampling.limits import require_animations, require_image
    from diffkit_cli.sampling.loading import open_model
    from diffkit_cli.sampling.metadata import options_metadata
    from diffkit_cli.sampling.writer import write_samples
    from diffkit_cli.terminal.console import console, plural

    def work() -> None:
        loaded = open_model(run, raw=raw, device=device)
        model = loaded.model
        defaults = {"steps": STEPS_BETWEEN_IMAGES} if images else {"spacing": (model.config.sampling or Sampling()).spacing}
        options = resolve(defaults | given, model.schedule, model.shape[1:])
        shape = (model.shape[0], *options.size)
        require_image(out, number_of_rows * number_of_columns, shape, columns=number_of_columns)
        require_animations(animations, max(1, 2 * number_of_columns - 2), number_of_rows, shape, columns=1)
        times = times_of(model.schedule, options)
        ends = encoded_images(model, options.size, times, images) if images else noise_pairs(model, options)
        samples = between(model, options.size, times, ends, number_of_rows, number_of_columns, frames=bool(animations))
        document = options_metadata(options)
        pairs = {"seed": document.pop("seed"), "rows": number_of_rows}
        if images:
            pairs = dict(zip(("from", "to"), map(file_hash, images), strict=True))
        unused = ("n", "classes")
        document = {key: value for key, value in document.items() if key not in unused}
        metadata = {"command": "interpolate", **loaded.metadata(), **pairs, "columns": number_of_columns, **document}
        kept = write_samples(samples, out, lambda i: metadata, columns=number_of_columns)
        if animations:
            frames = [kept[0][column::number_of_columns] for column in range(number_of_columns)]
            for path in animations:
                save_animation(frames + frames[-2:0:-1], path, columns=1, hold_last=False)
        ends_named = f"{images[0]} and {images[1]}" if images else "two noises"
        what = f"{plural(number_of_rows, 'row')} of {plural(number_of_columns, 'image')} between {ends_named}"
        console.print(f"{what}: {', '.join(map(str, (out, *animations)))}")

    return work
