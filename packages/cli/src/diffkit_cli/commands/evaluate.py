"""diffkit evaluate: compare samples with data."""

from pathlib import Path
from typing import Annotated

import typer

from diffkit_cli.errors import UsageError
from diffkit_cli.flags import Device, Eta, Json, Raw, Run, Sampler, Spacing, Steps, Text, Work, sampling_flag
from diffkit_cli.paths import ending_in
from diffkit_cli.sampling.options import OPTIONS, check_seeds, parse_flags, resolve
from diffkit_cli.sampling.pretrained import DIGITS, name_of

__all__ = ["evaluate"]

DEFAULT = OPTIONS["number"].default


def evaluate(
    ctx: typer.Context,
    run: Run = DIGITS,
    data: Annotated[str | None, typer.Argument(metavar="DATA", help="Data to compare with. Default: the training data.")] = None,
    number: Annotated[Text, sampling_flag("number", "-n", "--number", default=DEFAULT)] = None,
    sampler: Sampler = None,
    steps: Steps = None,
    eta: Eta = None,
    spacing: Spacing = None,
    seed: Annotated[Text, sampling_flag("seed", default="0")] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE.png", help="The samples nearest to a training image.", callback=ending_in("--out", ".png")),
    ] = None,
    features: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Feature network: .onnx, or .pt (TorchScript, which runs code: trust its source)."),
    ] = None,
    json: Json = False,
    raw: Raw = False,
    device: Device = "auto",
) -> Work:
    """Compare samples with data: KID, FD, nearest neighbours."""
    given = parse_flags(ctx.params)
    check_seeds(given.get("seed", 0), given.get("number", DEFAULT))
    from diffkit_trainer import evaluate as compare
    from diffkit_trainer import require_creatable, split_dataset

    from diffkit_cli.reports.evaluation import (
        as_document,
        feature_network,
        nearest_figure,
        number_of_samples,
        print_evaluation,
        real_images,
    )
    from diffkit_cli.sampling.class_labels import class_labels, classes_in_turn
    from diffkit_cli.sampling.generate import concatenated, generate, times_of
    from diffkit_cli.sampling.limits import require_memory
    from diffkit_cli.sampling.loading import open_model
    from diffkit_cli.sampling.metadata import options_metadata
    from diffkit_cli.terminal.console import answer, console, plural

    def work() -> None:
        loaded = open_model(run, raw=raw, device=device)
        model, config = loaded.model, loaded.model.config
        source = data or config.data.source
        if not source:
            raise UsageError(f"{run} does not name its training data: give DATA to compare with")
        images = real_images(source, model.shape)
        network = None if features is None else feature_network(features, images)
        split = split_dataset(images)
        n = number_of_samples(given.get("number"), DEFAULT, len(split.reference), source)
        chosen = {**given, "n": n, "classes": classes_in_turn(config)}
        options = resolve(chosen, model.schedule, model.shape[1:], config.sampling)
        labels = class_labels(config, options.classes, n, options.guidance)
        channels, height, width = model.shape
        require_memory(plural(n, "image"), n * channels * height * width, "use a smaller -n")
        if out is not None:
            require_creatable(out)
        times = times_of(model.schedule, options)
        samples = concatenated([batch.pixels for batch in generate(model, options, times, labels=labels)])
        with console.status("comparing" if network else "training a feature network, comparing"):
            found = compare(samples, images, split, features=network)
        metadata = {**loaded.metadata(), **options_metadata(options)}
        if json:
            answer(as_document(found, images) | {"options": options_metadata(options), **loaded.metadata()})
        else:
            print_evaluation(found, images, f"{name_of(run)}, step {loaded.step}, {options}")
        if out is not None:
            nearest_figure(out, samples, images, found, {"command": "evaluate", **metadata})
            console.print(f"the samples nearest to a training image, above it: {out}")

    return work
