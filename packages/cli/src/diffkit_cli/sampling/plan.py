"""What a command generates: its options, resolved for a model, and all that follows from them."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from diffkit_samplers import grid
from diffkit_schedules import Schedule
from diffkit_trainer import fastest_precision
from diffkit_trainer.files import printable

from diffkit_cli.errors import UsageError
from diffkit_cli.paths import file_hash
from diffkit_cli.sampling.class_labels import NULL, class_captions, class_labels, class_names, classes_in_turn, null_class
from diffkit_cli.sampling.condition_texts import all_texts, condition_captions, condition_files, joined_captions
from diffkit_cli.sampling.conditions import read_conditions
from diffkit_cli.sampling.init_image import InitImage, open_init
from diffkit_cli.sampling.loading import LoadedModel, load_worse
from diffkit_cli.sampling.metadata import NAMES, SampleMetadata, options_metadata, options_to_reproduce
from diffkit_cli.sampling.model import UNCONDITIONAL, Conditioning, DiffusionModel
from diffkit_cli.sampling.options import TUNED, SamplingOptions, check_seeds, resolve
from diffkit_cli.terminal.console import noun, plural
from diffkit_cli.time_lists import times_in

__all__ = ["Plan", "comparison_metadata", "make_plan", "other_weights", "times_of"]


class Plan(NamedTuple):
    """The options of a command, resolved for a model, and what follows from them.

    times: see `times_of`. given: the class and the conditions of each of the n samples.
    single: whether one image is reproduced that was in a folder, not in a grid. worse: the network of --guide-by.
    """

    loaded: LoadedModel
    options: SamplingOptions
    times: Sequence[float]
    given: Conditioning = UNCONDITIONAL
    init: InitImage | None = None
    single: bool = False
    worse: LoadedModel | None = None

    def __str__(self) -> str:
        number, options = plural(self.options.n, noun(self.shape)), self.options
        worse = f" by {self.worse.name}" if self.worse else ""
        how = f"{options}{self.by_tune}{self._distilled}{worse}"
        return f"{number} from {self.loaded.name}, {self._start}{how}, seed {options.seed}"

    @property
    def model(self) -> DiffusionModel:
        """The model to sample from."""
        return self.loaded.model

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of each sample, for images (C, H, W)."""
        return self.model.shape[0], *self.options.size

    @property
    def captions(self) -> list[str]:
        """The class and the conditions of each sample, where there are several of them; empty where there are not."""
        classes = class_captions(self.model.config, self.given.labels)
        return joined_captions(classes, condition_captions(self.options.conditions, self.options.n))

    def metadata(self, command: str, **images: Path) -> dict[str, Any]:
        """The metadata of all images that a command generates by this plan.

        images: those that it reads, by their keys: each has its hash there, and its name under `NAMES`, as the run has.
        """
        strength = {} if self.init is None else {"strength": self.init.strength}
        read = images if self.init is None else {"init": self.init.path, **images}
        names = {"run": self.loaded.short_name} | {key: printable(path.name) for key, path in read.items()}
        hashes = {key: file_hash(path) for key, path in read.items()}
        made = {"command": command, NAMES: names, **self.loaded.metadata()}
        worse = {}
        if self.worse is not None:
            names["guide_by"], worse["guide_by"] = f"{self.worse.short_name}@{self.worse.step}", self.worse.weights
        return {**made, **options_metadata(self.options), **hashes, **strength, **worse, **self._condition_files}

    @property
    def _condition_files(self) -> dict[str, Any]:
        files = condition_files(self.options.conditions)
        return {"condition_files": files} if files else {}

    @property
    def by_tune(self) -> str:
        """The note that `diffkit tune` found the sampler and its times, and at which other step or guidance; "" if it did not."""
        ours = self.options.sampler, self.options.eta, self.options.spacing
        found = next((each for each in self.model.config.tuned if (each.sampler, each.eta, each.spacing) == ours), None)
        if found is None:
            return ""
        others = [f"step {found.step}"] if found.weights != self.loaded.weights else []
        others += [f"guidance {found.guidance:g}"] if found.guidance != self.options.guidance else []
        return f" (diffkit tune{' at ' if others else ''}{', '.join(others)})"

    @property
    def _distilled(self) -> str:
        """The number of steps that the network was distilled for, where others are taken."""
        found = self.model.config.distilled
        if found is None or [*self.times] == self.model.config.own_times:
            return ""
        return f", distilled for {plural(found.steps, 'step')}"

    @property
    def _start(self) -> str:
        """The image that sampling starts from, and the classes that it becomes."""
        if self.init is None:
            return ""
        known = self.model.config.num_classes is not None
        names = dict.fromkeys(class_names(self.model.config, self.given.labels or [])) or [NULL]
        classes = f"class {' and '.join(names)}, " if known else ""
        return f"init {self.init.path}, strength {self.init.strength:g}, {classes}"


def make_plan(
    loaded: LoadedModel,
    given: Mapping[str, Any],
    *,
    init: Path | None = None,
    like: SampleMetadata | None = None,
    conditioning: Conditioning | None = None,
) -> Plan:
    """The plan of the options that were given, see `parse_flags`, over those of the image to reproduce, over the run's own.

    init: the image that sampling starts from, unconditionally where no class is given, so that it stays what it is. like: the
    metadata of the image to reproduce. conditioning: in place of the classes and conditions that were given. Raises UsageError
    as `resolve`, `check_seeds`, `class_labels` and `open_init` do, and where no step is left.
    """
    model = loaded.model
    classes = classes_in_turn(model.config) if init is None else null_class(model.config)
    chosen = {"classes": classes} | (dict(given) if like is None else options_to_reproduce(like, given))
    if like is None and model.like.device.type == "cuda":
        chosen.setdefault("precision", fastest_precision(model.like.device))
    if texts := all_texts(given):
        chosen["conditions"] = texts
    options = resolve(chosen, model.schedule, model.shape[1:], model.config.sampling, model.config.tuned)
    check_seeds(options.seed, options.n)
    worse = _open_worse(loaded, given.get("guide_by"), options.guidance, like)
    if conditioning is None:
        labels = class_labels(model.config, options.classes, options.n, 1.0 if worse else options.guidance)
        conditioning = Conditioning(labels, read_conditions(model.config, options.conditions, options.n))
    if like is not None:
        _require_same_files(like, options.conditions)
    on_device = {name: each.to(model.like.device) for name, each in conditioning.conditions.items()}
    conditioning = conditioning._replace(conditions=on_device)
    start = open_init(model, options.size, init, given.get("strength"), like)
    single = like is not None and not like.grid and options.n == 1
    return Plan(loaded, options, times_of(model.schedule, options, start), conditioning, start, single, worse)


def comparison_metadata(plans: Sequence[Plan]) -> dict[str, Any]:
    """The metadata of a figure with a row for each plan, which differ in the number of steps, and in what was tuned for it.

    counts: the numbers of steps. tuned: the options of the tuned rows, in words; sampler, eta and spacing are the others'.
    """
    plan = next((each for each in plans if not each.by_tune), plans[0])
    tuned = [str(each.options) for each in plans if each.by_tune]
    of_rows = ("steps", *TUNED) if plan.by_tune else ("steps",)
    metadata = {key: value for key, value in plan.metadata("steps").items() if key not in of_rows}
    return metadata | {"counts": [each.options.steps for each in plans]} | ({"tuned": tuned} if tuned else {})


def _open_worse(loaded: LoadedModel, name: str | None, guidance: float, like: SampleMetadata | None) -> LoadedModel | None:
    """The network of --guide-by. Raises UsageError without a scale, and for another one than the image to reproduce had."""
    before = like.guide_by if like else None
    if name is None:
        if like is not None and before is not None:
            raise UsageError(f"the image of --like was guided by {like.names.get('guide_by', before)}: give it by --guide-by")
        return None
    if guidance == 1:
        raise UsageError("--guide-by needs a scale: give one above 1 by --guidance")
    worse = load_worse(name, loaded)
    if before not in (None, worse.weights):
        theirs = f"the image of --like was guided by another network, with weights {before}"
        raise UsageError(f"{theirs}; {worse.name} has {worse.weights}")
    return worse


def _require_same_files(like: SampleMetadata, texts: Sequence[str]) -> None:
    """Raises UsageError where a condition is a file that has changed since the image to reproduce was generated from it."""
    for text, found in condition_files(texts).items():
        before = like.condition_files.get(text, found)
        if before != found:
            raise UsageError(f"--like: {text} has sha256 {found}..., the image was generated from {before}...: give that file")


def other_weights(path: Path, like: SampleMetadata, loaded: LoadedModel) -> str:
    """The warning for an image to reproduce that was generated with other weights than those that are loaded."""
    weights = f"weights {like.weights}; {loaded.name} has {loaded.weights}"
    return f"{path} was generated with other {weights}: the images will differ"


def times_of(schedule: Schedule, options: SamplingOptions, init: InitImage | None = None) -> list[float]:
    """The times of the steps, noise first, see `diffkit_samplers.grid`; with an init image those up to its strength.

    Raises UsageError where no step is left.
    """
    times = grid(schedule, options.steps, times_in(options.spacing) or options.spacing)
    kept = [t for t in times if init is None or t <= init.strength]
    if init is not None and len(kept) < 2:
        smallest = f"{min(t for t, _ in pairwise(times)):.3g}"
        raise UsageError(
            f"--strength {init.strength:g} leaves none of {options.steps} steps: use at least {smallest}, or more --steps"
        )
    return kept
