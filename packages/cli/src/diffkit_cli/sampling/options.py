"""Every option of sampling: its name, type, default, range and one line of help. Imports neither NumPy nor torch.

To add an option to `diffkit sample`, add a field to `SamplingOptions`: the flag, its errors, the metadata of images and `--like`
follow. Use it where samples are generated, in generate.py or model.py.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from diffkit_samplers import METHODS
from diffkit_trainer.files import Text
from diffkit_trainer.options import MAX_STEPS, Help, Option, options_of
from msgspec import Meta, Struct, to_builtins

from diffkit_cli.errors import UsageError, flag
from diffkit_cli.run_config import REGISTERED, Sampling, Size, Start, TunedSampler, require_registered
from diffkit_cli.sampling.class_labels import NULL
from diffkit_cli.time_lists import times_in

if TYPE_CHECKING:
    from diffkit_schedules import Schedule

__all__ = [
    *("DEFAULTS", "INPAINT_DEFAULTS", "INTERPOLATE_DEFAULTS", "OF_SAMPLE", "OPTIONS", "TUNED", "Given", "SamplingOptions"),
    *("check_seeds", "choices", "flags_of", "resolve"),
]

Given: TypeAlias = dict[str, Any]
"""The options that were given, each in its range."""

UpToMillion: TypeAlias = Annotated[int, Meta(ge=1, le=10**6)]
MAX_SEED = 2**63 - 1
MAX_SIDE = 4096
MAX_SHOWN = 60
"""Characters of a list of times in a message."""


class SamplingOptions(Struct, frozen=True, kw_only=True):
    """The options that determine the samples of a network, resolved: what `resolve` makes of those that were given.

    size: (height, width), or that of another space. Raises ValueError for a sampler that is not installed and for an unknown
    spacing.

    >>> str(SamplingOptions(size=(8, 8)))
    '20 steps of ddim, eta 0'
    """

    n: Annotated[UpToMillion, Help("Number of images.")] = 16
    seed: Annotated[Annotated[int, Meta(ge=0, le=MAX_SEED)], Help("Seed of the noise; image i uses seed + i.")] = 0
    classes: Annotated[
        tuple[Text, ...],
        Help("Class, by name or number, or none; repeat the flag for several in turn. Default: every class in turn."),
    ] = ()
    conditions: Annotated[
        tuple[Text, ...],
        Help("Condition: a number, several with commas, or a file; repeat the flag for each, and for several values in turn."),
    ] = ()
    sampler: Annotated[Text, Help("Sampling method.")] = "ddim"
    steps: Annotated[UpToMillion, Help("Sampling steps.")] = 20
    eta: Annotated[
        Annotated[float, Meta(ge=0, le=1)], Help("Stochasticity of each step: 0 is DDIM (deterministic), 1 is DDPM.")
    ] = 0.0
    spacing: Annotated[Text, Help("Times such as 1,0.7,0.3,0, or their spacing.")] = "uniform"
    start: Annotated[Start, Help("What sampling starts from: noise, or noisy images of the linear part's Gaussian.")] = "noise"
    size: Annotated[Size, Help("Size of the images.")]
    guidance: Annotated[Annotated[float, Meta(ge=-1e30, le=1e30)], Help("Classifier-free guidance scale; 1 is off.")] = 1.0
    precision: Annotated[
        Literal["fp32", "tf32", "bf16", "fp16"],
        Help("Number format of the network's products; bf16 is faster on processors and GPUs with units for it, and rounds."),
    ] = "fp32"

    def __post_init__(self) -> None:
        require_registered(self)

    def __str__(self) -> str:
        steps = f"{self.steps} step{'' if self.steps == 1 else 's'}"
        guidance = f", guidance {self.guidance:g}" if self.guidance != 1 else ""
        spacing = f", {self.spacing} spacing" if self.spacing != "uniform" else ""
        if times_in(self.spacing) is not None:
            spacing = f", times {self.spacing}" if len(self.spacing) <= MAX_SHOWN else f", {self.steps + 1} given times"
        return f"{steps} of {self.sampler}, eta {self.eta:g}{spacing}{guidance}"


_SAMPLE = (
    Option("step", Annotated[int, Meta(ge=0, le=MAX_STEPS)], None, "Checkpoint of this training step. Default: the newest."),
    Option(
        "batch_size", UpToMillion, None, "Images generated at once; no effect on the images. Default: as many as fit in memory."
    ),
    Option(
        "strength",
        Annotated[float, Meta(gt=0, le=1)],
        0.6,
        "Noise added to --init, in (0, 1]; at 1 hardly anything of it is left.",
    ),
    Option(
        "guide_by", Text, None, "Worse network to move away from by --guidance (autoguidance), such as an earlier checkpoint."
    ),
    Option("given", tuple[Text, ...], (), "Image or array file that the samples are conditioned on, of a run of pairs."),
)
_OTHERS = (
    Option("number", Annotated[int, Meta(ge=2, le=10**6)], 1000, "Number of samples, at most a quarter of the data."),
    Option("rows", UpToMillion, 5, "Pairs of noises to interpolate between."),
    Option(
        "to_seed",
        Annotated[int, Meta(ge=0, le=MAX_SEED)],
        None,
        "Seed of the other end of the first row; each row adds 2. Default: the seed + 1.",
    ),
    Option("columns", UpToMillion, 11, "Images in each row, its two ends included."),
    Option("rounds", UpToMillion, 5, "RePaint: runs of each step, with noise added in between; 1 is fastest, with seams."),
)

OF_SAMPLE = (*options_of(SamplingOptions), *(option.name for option in _SAMPLE))
"""The options of `diffkit sample`."""

OPTIONS: Mapping[str, Option] = {**options_of(SamplingOptions)} | {option.name: option for option in (*_SAMPLE, *_OTHERS)}
"""By name: `SamplingOptions`, and those of single commands."""

DEFAULTS: Mapping[str, str] = {
    "steps": "20; for ddpm every timestep (1,000 for a continuous schedule)",
    "sampler": "that of diffkit tune, else the run's, else ddim",
    "eta": "the sampler's",
    "spacing": "those of diffkit tune, else the run's, else uniform",
    "start": "the run's, else noise",
    "guidance": "the run's, else 1",
    "size": "the size of the training images",
    "precision": "fp32; on CUDA the fastest",
}
"""The defaults that depend on the sampler or the run, as the help names them."""

TUNED = ("sampler", "eta", "spacing")
"""What `diffkit tune` finds."""

INPAINT_DEFAULTS: Given = {"n": 8, "sampler": "ddim", "steps": 20, "eta": 1.0, "spacing": "uniform", "start": "noise"}
"""Those of `diffkit inpaint`. eta 1: the noise of each step fits the generated part to the known part."""

INTERPOLATE_DEFAULTS: Given = {"sampler": "ddim", "start": "noise"}
"""Those of `diffkit interpolate`, which always samples by DDIM from noise."""

_FLAGS = {"n": ("-n", "--number"), "number": ("-n", "--number"), "classes": ("--class",), "conditions": ("--condition",)}
"""The flags that are not called as their options are."""


def flags_of(name: str) -> tuple[str, ...]:
    """The flags of an option.

    >>> flags_of("n"), flags_of("batch_size")
    (('-n', '--number'), ('--batch-size',))
    """
    return _FLAGS.get(name, (flag(name),))


def choices(name: str) -> tuple[str, ...]:
    """The words that an option takes; none where it takes anything of its type.

    >>> choices("sampler")[:2], choices("steps")
    (('ddim', 'ddpm'), ())
    """
    return tuple(REGISTERED.get(name, OPTIONS[name].choices))


def resolve(
    given: Mapping[str, Any],
    schedule: "Schedule",
    size: Sequence[int],
    own: Sampling | None = None,
    tuned: Sequence[TunedSampler] = (),
) -> SamplingOptions:
    """The options of a command: those that were given, over the run's own, over the sampler's steps and eta, over the defaults.

    size: of the run's images. own: its guidance counts for images of a class, its times for as many steps. tuned: counts for as
    many steps where no sampler, eta or spacing is given, and the run has no times of its own. Raises UsageError for a sampler of
    another distribution that is not one, and for another number of steps than that of the times.

    >>> from diffkit_schedules import cosine_betas
    >>> print(resolve({"sampler": "ddpm"}, cosine_betas(T=50), (8, 8)))
    50 steps of ddpm, eta 1
    """
    ours = {} if own is None else to_builtins(own)
    if set(given.get("classes", ())) <= {NULL} and all(text.endswith(f"={NULL}") for text in given.get("conditions", ())):
        ours.pop("guidance", None)
    defaults = _of_sampler(given.get("sampler", ours.get("sampler", "ddim")), schedule)
    steps = given.get("steps", defaults["steps"])
    if (own_times := times_in(ours.get("spacing", ""))) and given.get("steps") not in (None, len(own_times) - 1):
        ours["spacing"] = "uniform"  # of a distilled network, whose times are for its own number of steps
    if not own_times and not {*TUNED} & {*given} and (found := next((each for each in tuned if each.steps == steps), None)):
        ours |= {name: getattr(found, name) for name in TUNED}
    values: dict[str, Any] = {**defaults, **ours, **given}
    if (times := times_in(values.get("spacing", ""))) is not None:
        values["steps"] = len(times) - 1
        if given.get("steps", values["steps"]) != values["steps"]:
            raise UsageError(f"--steps {given['steps']}: --spacing has the times of {values['steps']} steps: leave --steps out")
    values["size"] = _size_of(given["size"], size) if "size" in given else tuple(size)
    return SamplingOptions(**{name: value for name, value in values.items() if name in SamplingOptions.__struct_fields__})


def _of_sampler(name: str, schedule: "Schedule") -> dict[str, Any]:
    """The steps and eta of a sampler. Raises UsageError for one that cannot be imported, or is none."""
    from diffkit_samplers import Sampler
    from diffkit_schedules import timesteps_of

    try:
        sampler = METHODS[name]
    except ImportError as error:
        raise UsageError(f"--sampler: {error}") from None
    if not isinstance(sampler, Sampler):
        raise UsageError(f"--sampler: {name!r} of {' '.join(METHODS.origin(name))} must be a Sampler, got {sampler!r:.60}")
    return {"steps": timesteps_of(schedule) if sampler.steps is None else sampler.steps, "eta": sampler.eta}


def _size_of(given: Sequence[int], own: Sequence[int]) -> tuple[int, ...]:
    """A size with as many axes as the run's samples: N stands for all axes. Raises UsageError for another number of axes."""
    if len(given) == 2 and len(own) != 2 and given[0] == given[1]:
        given = [given[0]] * len(own)
    if len(given) != len(own):
        expected = {1: "the length N", 2: "HEIGHTxWIDTH", 3: "DEPTHxHEIGHTxWIDTH"}[len(own)]
        raise UsageError(f"--size must be {expected} for this run, got {'x'.join(map(str, given))}")
    if len(own) > 1 and max(given) > MAX_SIDE:
        raise UsageError(f"--size must be N or HEIGHTxWIDTH, each from 1 to {MAX_SIDE}, got '{max(given)}'")
    return tuple(given)


def check_seeds(seed: int, images: int, name: str = "seed") -> None:
    """Raises UsageError unless seed ... seed + images - 1 are seeds. name: of the option."""
    if seed > MAX_SEED + 1 - images:
        raise UsageError(f"{flag(name)} must be at most {MAX_SEED + 1 - images} for {images} images, got {seed}")
