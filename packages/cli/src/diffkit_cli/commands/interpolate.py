"""diffkit interpolate: images between two noises, or between two images."""

from pathlib import Path
from typing import Annotated

import typer

from diffkit_cli.bundled import DEFAULT
from diffkit_cli.errors import UsageError
from diffkit_cli.flags import Device, Force, Gif, Raw, Run, WebP, Work, out_flag, sampling_flags
from diffkit_cli.sampling.options import INTERPOLATE_DEFAULTS, OPTIONS, Given, check_seeds, flags_of

__all__ = ["interpolate"]

STEPS_BETWEEN_IMAGES = 50


@sampling_flags(
    *("rows", "columns", "steps", "spacing", "seed", "to_seed", "size", "classes", "conditions", "guidance", "step"),
    defaults={"steps": f"20; between images {STEPS_BETWEEN_IMAGES}"},
    help={
        "seed": "Row i interpolates from seed + 2i.",
        "classes": "Class of a row, by name or number; repeat the flag for several in turn. "
        "Default: every class in turn; between images none, the null class.",
    },
)
def interpolate(
    run: Run = DEFAULT,
    *,
    from_image: Annotated[Path | None, typer.Option("--from", metavar="IMAGE", help="Interpolate from this image.")] = None,
    to_image: Annotated[Path | None, typer.Option("--to", metavar="IMAGE", help="Interpolate to this image.")] = None,
    given: Given,
    out: Annotated[Path | None, out_flag("interpolation.png")] = None,
    force: Force = False,
    gif: Gif = None,
    webp: WebP = None,
    raw: Raw = False,
    device: Device = "auto",
) -> Work:
    """Interpolate between two seeds or two images."""
    images = [path for path in (from_image, to_image) if path is not None]
    if len(images) == 1:
        raise UsageError(f"--from and --to are given together, got {images[0]} only")
    if images and (noises := [flags_of(name)[0] for name in ("rows", "seed", "to_seed") if name in given]):
        raise UsageError(f"--from and --to replace the noises: leave out {' '.join(noises)}")
    if images and len(given.get("classes", ())) > 1:
        raise UsageError(f"--class: the row between two images has one class, got {', '.join(given['classes'])}")
    rows = 1 if images else given.get("rows", OPTIONS["rows"].default)
    columns = given.get("columns", OPTIONS["columns"].default)
    to_seed = given.get("to_seed")
    check_seeds(given.get("seed", 0), 2 * rows)
    check_seeds(to_seed or 0, 2 * rows - 1, "to_seed")
    animations = [path for path in (gif, webp) if path is not None]
    from diffkit_trainer import save_animation

    from diffkit_cli.sampling.class_labels import null_class
    from diffkit_cli.sampling.init_image import clean_image
    from diffkit_cli.sampling.interpolation import between, encoded_images, interpolation_metadata, noise_pairs
    from diffkit_cli.sampling.limits import require_animations, require_image
    from diffkit_cli.sampling.loading import open_model
    from diffkit_cli.sampling.outputs import output_of
    from diffkit_cli.sampling.plan import make_plan
    from diffkit_cli.sampling.writer import write_samples
    from diffkit_cli.terminal.console import console, plural
    from diffkit_cli.terminal.progress import counting

    def work() -> None:
        loaded = open_model(run, raw=raw, step=given.get("step"), device=device)
        defaults = INTERPOLATE_DEFAULTS
        if images:
            defaults = defaults | {
                "steps": STEPS_BETWEEN_IMAGES,
                "spacing": "uniform",
                "classes": null_class(loaded.model.config),
            }
        plan = make_plan(loaded, defaults | given | {"n": rows})
        clean = [clean_image(plan.model, image, plan.options.size) for image in images]
        ends_of_row = dict(zip(("from", "to"), images, strict=False))
        metadata = interpolation_metadata(plan, columns, to_seed=to_seed, images=ends_of_row)
        captions, count = plan.captions, rows * columns
        output = output_of(
            out,
            "interpolation.png",
            metadata,
            count,
            of_image=lambda metadata, i: metadata,
            also=animations,
            inputs=images,
            force=force,
        )
        require_image(output.path, count, plan.shape, columns=columns, captioned=bool(captions))
        frames = max(1, 2 * columns - 2)
        require_animations(animations, frames, rows, plan.shape, columns=1, captioned=bool(captions))
        if clean:
            with console.status("inverting the images"):
                ends = encoded_images(plan, clean)
        else:
            ends = noise_pairs(plan, to_seed)
        with counting("images") as on_progress:
            samples = between(plan, ends, columns, frames=bool(animations), kept=output.kept, on_progress=on_progress)
            of_images = [word for caption in captions for word in (caption, *[""] * (columns - 1))]
            pixels = write_samples(samples, output, columns=columns, captions=of_images)
        if animations:
            there = [pixels[0][column::columns] for column in range(columns)]
            for film in animations:
                save_animation(there + there[-2:0:-1], film, output.metadata, columns=1, captions=captions, hold_last=False)
        ends_named = f"{images[0]} and {images[1]}" if images else "two noises"
        what = f"{plural(rows, 'row')} of {plural(columns, 'image')} from {loaded.name}, between {ends_named}"
        console.print(f"{what}: {', '.join(map(str, (output, *animations)))}")

    return work
