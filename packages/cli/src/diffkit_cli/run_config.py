"""A run's config.json as a typed structure: all that sampling needs."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from diffkit_samplers import METHODS, SPACINGS
from diffkit_trainer.files import NonNegativeInt, Text, as_type, convert
from msgspec import Meta, Struct

from diffkit_cli.time_lists import times_in

__all__ = [
    *("REGISTERED", "Change", "Condition", "Data", "Distilled", "ImageShape", "Normalised", "Origin"),
    *("RunConfig", "SampleShape", "Sampling", "Side", "Size", "Start", "Trained", "TunedSampler"),
    "require_registered",
]

Side: TypeAlias = Annotated[int, Meta(ge=1, le=4096)]
Size: TypeAlias = Annotated[tuple[Annotated[int, Meta(ge=1, le=2**24)], ...], Meta(min_length=1, max_length=3)]
"""Of a space: (length,), (height, width) or (depth, height, width)."""

Type: TypeAlias = Literal["uint8", "float32"]
"""Of values: bytes, where 255 is 1, or numbers in any unit."""

Start: TypeAlias = Literal["noise", "gaussian"]
"""What sampling starts from: noise alone, or noisy images of the Gaussian of the linear part."""

Level: TypeAlias = Annotated[float, Meta(ge=-1e30, le=1e30)]
"""A value; of bytes, where 255 is 1."""


class Data(Struct, frozen=True):
    """The training data; source: "" where it is unknown."""

    source: Text
    images: NonNegativeInt
    fingerprint: Text
    classes: list[Text]


class ImageShape(Struct, frozen=True):
    """The shape of 8-bit images with 1 or 3 channels."""

    channels: Side
    height: Side
    width: Side


class SampleShape(Struct, frozen=True):
    """The shape of other samples, (channels, *space), and the type of their values."""

    channels: Side
    space: Size
    type: Type = "float32"


class Normalised(Struct, frozen=True):
    """One number per channel, see `diffkit_trainer.Normalisation`."""

    mean: list[Level]
    std: list[Annotated[float, Meta(gt=0, le=1e30)]]


class Condition(Struct, frozen=True):
    """A condition of the network: the shape for one sample, (), (n,) or (channels, *space), the type and the normalisation."""

    shape: Annotated[tuple[Annotated[int, Meta(ge=1, le=2**24)], ...], Meta(max_length=4)]
    mean: list[Level]
    std: list[Annotated[float, Meta(gt=0, le=1e30)]]
    type: Type = "float32"

    def __post_init__(self) -> None:
        channels = self.shape[0] if self.shape else 1
        if not len(self.mean) == len(self.std) == channels:
            raise ValueError(f"mean and std: expected {channels} numbers each, found {len(self.mean)} and {len(self.std)}")


class Change(Struct, frozen=True):
    """An option that was changed when the run was resumed: its value before the step, and after it."""

    step: NonNegativeInt
    option: Text
    before: float | int | None
    after: float | int | None


class Origin(Struct, frozen=True):
    """The network that a training started from: the run or file, its step, and the hash of its weights."""

    run: Text
    step: NonNegativeInt
    weights: Text


class Distilled(Struct, frozen=True, kw_only=True):
    """What a run was distilled from: the network as in `Origin`, and how that is sampled for the steps to learn.

    steps: of the student, each of which replaces as many of the teacher's. spacing: the times of the teacher's steps, see
    `time_lists`. guidance: its scale, which the student has learned.
    """

    run: Text
    step: NonNegativeInt
    weights: Text
    steps: Annotated[int, Meta(ge=1)]
    sampler: Text
    spacing: Text
    guidance: Annotated[float, Meta(ge=-1e30, le=1e30)] = 1.0

    def __post_init__(self) -> None:
        require_registered(self)
        if times_in(self.spacing) is None or self.spacing.count(",") % self.steps:
            raise ValueError(f"spacing: expected the times of a multiple of {self.steps} steps, found {self.spacing!r:.60}")

    @property
    def times(self) -> list[float]:
        """The times of the teacher's steps."""
        return times_in(self.spacing) or []

    @property
    def ratio(self) -> int:
        """How many of the teacher's steps one of the student replaces."""
        return (len(self.times) - 1) // self.steps


class Trained(Struct, frozen=True):
    """The options of the training that commands read."""

    preset: Text
    batch_size: NonNegativeInt
    lr: float
    ema: float | list[float]
    seed: NonNegativeInt
    steps: NonNegativeInt
    held_out: Annotated[float, Meta(ge=0, lt=1)] = 0.0


REGISTERED: Mapping[str, Collection[str]] = {"sampler": METHODS, "spacing": SPACINGS}
"""The options of sampling that take words; other distributions may add samplers."""


class Sampling(Struct, frozen=True, kw_only=True):
    """The options of sampling that a run has of its own, see `SamplingOptions`: those of its recipe."""

    sampler: Text = "ddim"
    spacing: Text = "uniform"
    start: Start = "noise"
    guidance: Annotated[float, Meta(ge=-1e30, le=1e30)] = 1.0

    def __post_init__(self) -> None:
        require_registered(self)


class TunedSampler(Struct, frozen=True, kw_only=True):
    """The method and times that `diffkit tune` found for one number of steps, and for which network.

    spacing: the times, see `time_lists`. step, weights: of the network. guidance: that it was tuned with. error: the root mean
    square distance of x0 to a fine solution, of noises that were not tuned on; at eta = 0 alone. kid: None without data.
    """

    sampler: Text
    eta: Annotated[float, Meta(ge=0, le=1)]
    spacing: Text
    guidance: Annotated[float, Meta(ge=-1e30, le=1e30)]
    step: NonNegativeInt
    weights: Text
    error: Annotated[float, Meta(ge=0)] | None = None
    kid: float | None = None

    def __post_init__(self) -> None:
        require_registered(self)
        if times_in(self.spacing) is None:
            raise ValueError(f"spacing: expected a list of times, found {self.spacing!r:.60}")

    @property
    def steps(self) -> int:
        """The number of steps."""
        return self.spacing.count(",")


def require_registered(options: Struct) -> None:
    """Raises ValueError for a sampler that is not installed, for an unknown spacing, and for times that are none."""
    for name, words in REGISTERED.items():
        value = getattr(options, name)
        try:
            times = times_in(value) if name == "spacing" else None
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
        if value not in words and times is None:
            raise ValueError(f"{name}: expected one of {', '.join(words)}, found {value!r:.60}")


class RunConfig(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The resolved config of a run, in its config.json and in each checkpoint and export.

    image: the shape of 8-bit images; samples: that of anything else; one of the two. conditions: of the network, by name.
    network: see `networks.network_of`. schedule: see `diffkit_trainer.read_schedule`. training: `TrainOptions` without data.
    sampling: None for the defaults. clip_x0: x0 is clipped to [-clip_x0, clip_x0] at each step. imported: the library and
    pipeline that it was imported from. versions: of the distributions that trained it. changes: to options of the training, when
    it was resumed. fine_tuned_from: None for a training from new weights. distilled: see `diffkit distill`.
    tuned: see `diffkit tune`; of a run they are in its tuned.json. Raises ValueError where the fields do not match.
    """

    data: Data
    image: ImageShape | None = None
    samples: SampleShape | None = None
    conditions: dict[Text, Condition] = {}
    normalisation: Normalised
    network: dict[str, Any]
    schedule: dict[str, Any]
    prediction: Literal["eps", "x0", "v", "flow"]
    condition: Literal["variance", "sigma", "time", "log_snr", "index"]
    training: dict[str, Any] | None = None
    sampling: Sampling | None = None
    clip_x0: Annotated[float, Meta(gt=0, le=1e30)] | None = None
    imported: Text | None = None
    versions: Annotated[dict[Text, Text], Meta(max_length=100)] = {}
    changes: Annotated[list[Change], Meta(max_length=10_000)] = []
    fine_tuned_from: Origin | None = None
    distilled: Distilled | None = None
    tuned: Annotated[list[TunedSampler], Meta(max_length=100)] = []

    def __post_init__(self) -> None:
        if (self.image is None) == (self.samples is None):
            raise ValueError(f"expected image or samples, found {'neither' if self.image is None else 'both'}")
        channels = self.shape[0]
        of = {"mean": len(self.normalisation.mean), "std": len(self.normalisation.std)}
        of |= {key: self.network[key] for key in ("in_channels", "out_channels") if self.network.get(key) is not None}
        for key, found in of.items():
            if found != channels:
                raise ValueError(f"{key}: expected {channels} channels, as of image, found {found!r:.60}")
        if "dims" in self.network and self.network["dims"] != len(self.shape) - 1:
            raise ValueError(f"dims: expected {len(self.shape) - 1}, as of samples, found {self.network['dims']!r:.60}")
        if self.sampling is not None and self.sampling.start == "gaussian" and "network" not in self.network:
            raise ValueError("sampling.start: 'gaussian' is for a network with a linear part, which this one does not have")
        if self.training is not None:
            try:
                convert(self.training, Trained)
            except ValueError as error:
                raise ValueError(f"training: {error}") from None
        for key, own in (("condition", self.condition), ("prediction", self.prediction)):
            found = self.network.get(key, own)
            if found != own:
                raise ValueError(f"{key}: expected that of the network, {found!r:.60}, found {own!r}")

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "RunConfig":
        """The config in a JSON object. Raises ValueError, which names the field."""
        return convert(document, cls)

    @classmethod
    def in_folder(cls, run: Path, document: Mapping[str, Any]) -> "RunConfig":
        """The config in a run's config.json. Raises RunError, which names the file and the field."""
        return as_type(document, cls, run / "config.json")

    def document(self) -> dict[str, Any]:
        """The config as plain JSON."""
        plain: dict[str, Any] = msgspec.to_builtins(self)
        return plain

    @property
    def held_out(self) -> float:
        """The fraction of its data that was not trained on, see `diffkit_trainer.held_out`."""
        return 0.0 if self.trained is None else self.trained.held_out

    @property
    def trained(self) -> Trained | None:
        """The options of the training; None for an imported network."""
        return None if self.training is None else msgspec.convert(self.training, Trained)

    @property
    def shape(self) -> tuple[int, ...]:
        """(channels, *space) of a sample, for images (channels, height, width)."""
        if self.image is not None:
            return self.image.channels, self.image.height, self.image.width
        return (self.samples.channels, *self.samples.space) if self.samples else ()

    @property
    def own_times(self) -> list[float] | None:
        """The times that the run is sampled at, where they are its own: of a distilled network."""
        return None if self.sampling is None else times_in(self.sampling.spacing)

    @property
    def num_classes(self) -> int | None:
        """The number of classes of the network; None for an unconditional one."""
        return self.network.get("num_classes")

    @property
    def class_dropout(self) -> float | None:
        """The fraction of the labels that the training dropped: 0 leaves the null class untrained; None where it is unknown."""
        return None if self.training is None else self.training.get("class_dropout")
