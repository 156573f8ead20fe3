"""What is done with an image of one's own. Imports no library of pages."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from diffkit_schedules import add_noise

from diffkit_cli.sampling.class_labels import null_class
from diffkit_cli.sampling.init_image import clean_image
from diffkit_cli.sampling.inpainting import open_inpainting
from diffkit_cli.sampling.interpolation import encoded_images, interpolation_metadata
from diffkit_cli.sampling.loading import LoadedModel
from diffkit_cli.sampling.options import INPAINT_DEFAULTS, INTERPOLATE_DEFAULTS, Given
from diffkit_cli.sampling.plan import make_plan
from diffkit_cli.ui.play.commands import command_line
from diffkit_cli.ui.play.estimates import captions_of, estimates
from diffkit_cli.ui.play.made import Made, made_by

__all__ = ["Edit", "inpainted", "inverted", "varied"]


class Edit(NamedTuple):
    """captions: of the images. frames(): the images after each step. status: the line above them.

    finished: of the last frame, what its last images can be saved and made again by; those before them cannot.
    """

    captions: Sequence[str]
    frames: Callable[[], Iterator[Sequence[Any]]]
    finished: Callable[[Sequence[Any]], list[Made]]
    status: Callable[[Sequence[Any]], str] = lambda values: ""


def varied(loaded: LoadedModel, given: Given, image: Path, strength: float) -> Edit:
    """The image noised to the largest t up to a strength, and denoised, as `diffkit sample --init` does."""
    given = given | {"strength": strength}
    plan = make_plan(loaded, given, init=image)
    model, t = plan.model, plan.times[0]
    x0 = clean_image(model, image, plan.options.size)[None]
    noise = model.noise([plan.options.seed], plan.options.size) / model.schedule(1.0).sigma
    first = [model.values(each)[0] for each in (x0, add_noise(x0, noise, model.schedule(t)))]

    def finished(values: Sequence[Any]) -> list[Made]:
        return made_by(plan, given, values[2:], "--init", image.name)

    captions = ["the image", f"noised to t = {t:.2f}", *captions_of(plan)]
    return Edit(captions, lambda: ([*first, *values] for _, values in estimates(plan)), finished)


def inpainted(loaded: LoadedModel, given: Given, image: Path, mask: Path, rounds: int) -> Edit:
    """The white part of the mask generated, as `diffkit inpaint` does."""
    defaults = {"classes": null_class(loaded.model.config)} | INPAINT_DEFAULTS
    plan = make_plan(loaded, defaults | given)
    wrap, fraction = open_inpainting(plan.model, image, mask, plan.options.size)

    def finished(values: Sequence[Any]) -> list[Made]:
        words, own = (image.name, "--mask", mask.name), {"rounds": rounds}
        read = {"image": image, "mask": mask}
        return made_by(plan, given | own, values, *words, command="inpaint", defaults=defaults, more=own, **read)

    frames = lambda: (list(values) for _, values in estimates(plan, wrap=wrap, rounds=rounds))  # noqa: E731
    return Edit(captions_of(plan), frames, finished, lambda _: f"{fraction:.0%} of the image is generated")


def inverted(loaded: LoadedModel, given: Given, image: Path) -> Edit:
    """The image encoded to noise by DDIM inversion, and decoded, as the end of a row of `diffkit interpolate --from --to`."""
    defaults = INTERPOLATE_DEFAULTS | {"classes": null_class(loaded.model.config)}
    plan = make_plan(loaded, defaults | given | {"n": 1})
    model, guidance = plan.model, plan.options.guidance

    def frames() -> Iterator[Sequence[Any]]:
        x0 = clean_image(model, image, plan.options.size)
        noise, _ = encoded_images(plan, [x0])(0)
        first = [model.values(each)[0] for each in (x0[None], noise)]
        for state in model.states_from_noise(
            noise, steps=len(plan.times) - 1, spacing=plan.times, given=plan.given, guidance=guidance
        ):
            yield [*first, model.values(state.x0)[0]]

    def finished(values: Sequence[Any]) -> list[Made]:
        metadata = interpolation_metadata(plan, 2, images={"from": image, "to": image})
        words, options = ("--from", image.name, "--to", image.name), {**given, "columns": 2}
        command = command_line("interpolate", loaded, options, *words, out="interpolation", defaults=defaults)
        return [Made(values[-1], metadata, "00000", command)]

    def status(values: Sequence[Any]) -> str:
        error = float(abs(values[0].double() - values[2].double()).mean())
        return f"the decoded image differs by {error:.2f} grey levels on average"

    return Edit(["the image", "its noise at t = 1", "decoded"], frames, finished, status)
