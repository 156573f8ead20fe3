"""diffkit evaluate: compare samples with data."""

import math
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from diffkit_cli.bundled import DIGITS
from diffkit_cli.errors import UsageError
from diffkit_cli.flags import Device, Force, Json, Raw, Work, sampling_flags
from diffkit_cli.paths import ending_in
from diffkit_cli.sampling.options import OPTIONS, Given

__all__ = ["evaluate"]


@sampling_flags(
    *("number", "sampler", "steps", "eta", "spacing", "seed", "classes", "guidance", "step"),
    help={"classes": "Compare a class, by name or number, with the data of it; repeat the flag for several. Default: all."},
)
def evaluate(
    run: Annotated[
        Path, typer.Argument(metavar="RUN", show_default=False, help="As for `diffkit sample`, but by default digits.")
    ] = DIGITS,
    data: Annotated[
        str | None,
        typer.Argument(metavar="DATA", help="Data to compare with. Default: the training data, or its held-out part."),
    ] = None,
    *,
    given: Given,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.png", help="The samples nearest to an image of the data.", callback=ending_in("--out", ".png")
        ),
    ] = None,
    force: Force = False,
    feature_file: Annotated[
        Path | None,
        typer.Option("--features", metavar="FILE", help="Feature network: .onnx, or .pt (TorchScript, which runs code)."),
    ] = None,
    checkpoints: Annotated[
        bool, typer.Option("--checkpoints", help="Score each checkpoint of the run, and name the best.")
    ] = False,
    json: Json = False,
    raw: Raw = False,
    device: Device = "auto",
) -> Work:
    """Compare samples with data: KID, FD, nearest neighbours."""
    from diffkit_trainer import checkpoints as checkpoints_of
    from diffkit_trainer import evaluate as compare
    from diffkit_trainer import learned_features, require_creatable, split_dataset

    from diffkit_cli.reports.data_conditions import conditioning_of, open_training_data
    from diffkit_cli.reports.evaluation import (
        as_document,
        classes_to_compare,
        feature_network,
        labels_asked_for,
        nearest_figure,
        number_of_samples,
        print_checkpoints,
        print_evaluation,
        real_images,
    )
    from diffkit_cli.sampling.generate import concatenated, generate
    from diffkit_cli.sampling.limits import require_memory
    from diffkit_cli.sampling.loading import open_model
    from diffkit_cli.sampling.metadata import options_metadata
    from diffkit_cli.sampling.outputs import require_replaceable
    from diffkit_cli.sampling.plan import make_plan
    from diffkit_cli.terminal.console import answer, console, noun, plural
    from diffkit_cli.terminal.progress import counting

    def work() -> None:
        if checkpoints and (out is not None or "step" in given):
            raise UsageError(f"--checkpoints scores every checkpoint: leave {'--step' if out is None else '--out'} out")
        if out is not None:
            require_creatable(out)
            require_replaceable([out], force=force)
        loaded = open_model(run, raw=raw, step=given.get("step"), device=device)
        config = loaded.model.config
        source = data or config.data.source
        if not source:
            raise UsageError(f"{run} does not name its training data: give DATA to compare with")
        images = real_images(source, loaded.model.shape, open_training_data(run, config, data) if config.conditions else None)
        given_features = None if feature_file is None else feature_network(feature_file, images)
        classes = classes_to_compare(images, config, given.get("classes", ()))
        split = split_dataset(images, fraction=config.held_out if source == config.data.source else 0.0)
        compared = split if classes is None else split.of_classes(images, classes)
        n = number_of_samples(given.get("number"), OPTIONS["number"].default, len(compared.real), source)
        conditioning = conditioning_of(images, config, compared.reference, n) if config.conditions else None
        shape = make_plan(loaded, given | {"n": n}, conditioning=conditioning).shape
        require_memory(plural(n, noun(shape)), n * math.prod(shape), "use a smaller -n")
        with console.status("training a feature network") if given_features is None else nullcontext():
            features = given_features or learned_features(images, split)
        steps = sorted(step for step, _ in checkpoints_of(run)) if checkpoints else [loaded.step]
        scored = []
        for step in steps:
            at = loaded if step == loaded.step else open_model(run, raw=raw, step=step, device=device)
            plan = make_plan(at, given | {"n": n}, conditioning=conditioning)
            with counting(f"samples of step {step}" if checkpoints else "sampling steps") as on_progress:
                samples = concatenated([batch.pixels for batch in generate(plan, on_progress=on_progress)])
            with console.status("comparing"):
                labels = labels_asked_for(images, config, plan.given.labels)
                scored.append((at, compare(samples, images, split, features=features, classes=classes, labels=labels)))
        _, found = scored[-1]
        if json and checkpoints:
            answer({"checkpoints": [as_document(each, images) | at.metadata() for at, each in scored]})
        elif json:
            answer(as_document(found, images) | {"options": options_metadata(plan.options), **loaded.metadata()})
        elif checkpoints:
            print_checkpoints([(at.step, each) for at, each in scored], f"{run}, {plan.options}{plan.by_tune}", run)
        else:
            title = f"{loaded.name}, {plan.options}{plan.by_tune}"
            print_evaluation(found, images, title, training=source == config.data.source, held_out=split.held_out)
        if out is not None:
            nearest_figure(out, samples, plan.captions, images, found, plan.metadata("evaluate"))
            console.print(f"the samples nearest to an image of {source}, each above that image: {out}")

    return work
