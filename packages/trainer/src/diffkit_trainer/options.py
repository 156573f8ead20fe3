"""Every option of a training run: its name, type, default, range and one line of help. Imports neither NumPy nor torch."""

import difflib
import pkgutil
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Annotated, Any, Literal, NamedTuple, Self, TypeAlias, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta, Struct, inspect

__all__ = [
    "MAX_STEPS",
    "ROUNDING",
    "SPEED",
    "Axes",
    "Compile",
    "Graph",
    "Help",
    "Mode",
    "Option",
    "OptionError",
    "Options",
    "Positive",
    "PositiveInt",
    "Precision",
    "at_most",
    "nearest",
    "options_of",
    "shown",
    "suggestion",
    "unknown",
]

MAX_STEPS = 10**9
MAX_SUGGESTIONS = 3
MAX_LISTED = 32

PositiveInt: TypeAlias = Annotated[int, Meta(ge=1, le=MAX_STEPS)]
Positive: TypeAlias = Annotated[float, Meta(gt=0, le=1e30)]
"""Larger numbers leave float32."""
UpTo65536: TypeAlias = Annotated[int, Meta(ge=1, le=65536)]
Fraction: TypeAlias = Annotated[float, Meta(ge=0, le=1)]
Decay: TypeAlias = Annotated[float, Meta(ge=0, lt=1)]

ROUNDING = ("accumulate", "precision", "compile", "deterministic", "channels_last", "shard")
"""The options that change the result by rounding alone."""

SPEED = ("cuda_graph", "data_on_device")
"""The options that do not change the result; every one that is neither here nor above makes it another experiment."""


def WordsOf(table: str) -> Meta:  # noqa: N802
    """The keys of a table, "module:attribute", are the words of the option: a new word is a new entry of that table."""
    return Meta(extra={"table": table})


def Help(text: str) -> Meta:  # noqa: N802  (it stands where a type stands)
    """The line of help of an option, for `Annotated`."""
    return Meta(description=text)


Weighting: TypeAlias = Annotated[str, WordsOf("diffkit_schedules.loss_weighting:WEIGHTINGS")]
LrSchedule: TypeAlias = Annotated[str, WordsOf("diffkit_trainer.training.optimisation.lr_schedules:LR_SCHEDULES")]
Precision: TypeAlias = Annotated[
    Literal["auto", "fp32", "tf32", "bf16", "fp16"],
    Help("Number format of products: fp32, tf32 (CUDA), bf16, fp16, or auto, which is bf16 where the device computes it faster."),
]
Compile: TypeAlias = Annotated[
    bool | None, Help("Compile the network with torch.compile; none: on CUDA, for 2,000 steps or more.")
]
Graph: TypeAlias = Annotated[
    bool | None, Help("Record a step as one CUDA graph, a single launch; none: on CUDA, in a single process.")
]
Axes: TypeAlias = Literal["NL", "NCL", "NLC", "NHW", "NCHW", "NHWC", "NDHW", "NCDHW", "NDHWC"]
"""Of an array of samples: N samples, C channels, and the space: length L, height H and width W, depth D."""

Mode: TypeAlias = Literal["L", "LA", "RGB", "RGBA", "L16"]
"""Of images: grey or colour, with or without transparency, of 8 bits, by Pillow's names; or grey of 16 bits."""


class OptionError(ValueError):
    """An option with a value out of its range: `name`, what was `expected`, and what was `found`."""

    def __init__(self, name: str, expected: str, found: str) -> None:
        super().__init__(f"{name} must be {expected}, got {found}")
        self.name, self.expected, self.found = name, expected, found

    @classmethod
    def of_word(cls, name: str, words: Iterable[str], value: Any) -> "OptionError":
        """For a value that is none of the words, with the nearest ones."""
        words = list(words)
        near = suggestion(value, words) if isinstance(value, str) else ""
        return cls(name, f"one of {', '.join(words)}", shown(value) + (f": {near}" if near else ""))


class Option(NamedTuple):
    """One option: its name, its type (one of msgspec's), its default (`msgspec.NODEFAULT` for none), and its line of help."""

    name: str
    type: Any
    default: Any
    help: str

    @property
    def alternatives(self) -> tuple[inspect.Type, ...]:
        """What the value may be, as msgspec describes types."""
        found = inspect.type_info(self.type)
        while isinstance(found, inspect.Metadata):
            found = found.type
        return tuple(found.types) if isinstance(found, inspect.UnionType) else (found,)

    @property
    def optional(self) -> bool:
        """Whether None is a value."""
        return any(isinstance(each, inspect.NoneType) for each in self.alternatives)

    @property
    def choices(self) -> tuple[str, ...]:
        """The words that it takes; none where it takes anything of its type."""
        return _words(self.type)

    @property
    def metavar(self) -> str:
        """The placeholder of a value: N for an integer, X for a number, N or HxW for a size, else the name."""
        if any(map(_is_pair, self.alternatives)):
            return "N or HxW"
        kinds = {inspect.IntType: "N", inspect.FloatType: "X"}
        return next((kinds[type(each)] for each in self.alternatives if type(each) in kinds), self.name.upper())

    @property
    def expected(self) -> str:
        """What a value must be, in words.

        >>> options_of(Options)["batch_size"].expected, options_of(Options)["ema"].expected
        ('an integer from 1 to 65536', 'a number in [0, 1), or several of them')
        """
        return f"one of {', '.join(self.choices)}" if self.choices else " or ".join(_in_words(self.alternatives))

    def check(self, value: Any) -> Any:
        """The value in the option's type: an integer where a number is expected becomes one. Raises OptionError."""
        if type(value) is int and abs(value) < 2**1000 and any(isinstance(each, inspect.FloatType) for each in self.alternatives):
            value = float(value)
        try:
            value = msgspec.convert(value, self.type)
        except msgspec.ValidationError:
            raise OptionError(self.name, self.expected, shown(value)) from None
        if self.choices and value is not None and value not in self.choices:
            raise OptionError.of_word(self.name, self.choices, value)
        return value


class Options(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The options of a `Trainer`. Raises OptionError for a value out of its range.

    >>> Options(lr=2).lr, Options().changed(batch_size=8).batch_size
    (2.0, 8)
    >>> Options(ema=1.0)
    Traceback (most recent call last):
    diffkit_trainer.options.OptionError: ema must be a number in [0, 1), or several of them, got 1.0
    """

    prediction: Annotated[
        Literal["eps", "x0", "v", "flow"],
        Help("What the network predicts. Default: the preset's, else eps; at zero terminal SNR v or flow. One of:"),
    ] = "eps"
    condition: Annotated[
        Literal["variance", "sigma", "time", "log_snr", "index"], Help("The noise level that the network is conditioned on.")
    ] = "variance"
    loss: Annotated[Literal["mae", "mse", "huber"], Help("Error between prediction and target.")] = "mae"
    weighting: Annotated[Weighting, Help("Weight of the loss by noise level.")] = "uniform"
    gamma: Annotated[Positive, Help("Min-SNR gamma: weighting min_snr clips the SNR here.")] = 5.0
    times: Annotated[Literal["uniform", "logit_normal", "stratified"], Help("Distribution of t in training.")] = "uniform"
    normalise: Annotated[
        Literal["data", "range"], Help("Pixels to mean 0 and variance 1 per channel (data), or to [-1, 1] (range).")
    ] = "data"
    class_dropout: Annotated[
        Fraction | None,
        Help("Fraction of the classes and conditions to drop, for guidance; none: no classes. Default: 0.1 where there are any."),
    ] = None
    flip: Annotated[bool, Help("Random horizontal flips (of the last axis), with probability 0.5.")] = False
    held_out: Annotated[
        Decay,
        Help(
            "Fraction of the images that is not trained on, chosen by their hash; their loss is logged. "
            "Default: 0.1 of 1,000 images or more, at most 2,000."
        ),
    ] = 0.0
    batch_size: Annotated[UpTo65536, Help("Images per update, over all processes. Default: the preset's.")] = 64
    accumulate: Annotated[UpTo65536, Help("Gradient accumulation: parts per batch, to save memory.")] = 1
    optimiser: Annotated[
        Literal["adamw", "muon"], Help("AdamW for all weights, or Muon for the matrices between the first and the last layer.")
    ] = "adamw"
    lr: Annotated[Positive, Help("Peak learning rate. Default: the preset's.")] = 1e-3
    weight_decay: Annotated[Annotated[float, Meta(ge=0, le=1e30)], Help("Decoupled weight decay.")] = 1e-4
    lr_schedule: Annotated[LrSchedule, Help("Learning rate over the updates.")] = "constant"
    warmup: Annotated[Annotated[int, Meta(ge=0, le=MAX_STEPS)], Help("Updates of linear warm-up of the learning rate.")] = 0
    decay_steps: Annotated[PositiveInt | None, Help("Updates until the lr_schedule reaches its end.")] = None
    clip_grad_norm: Annotated[Positive | None, Help("Clip the gradient to this norm.")] = None
    freeze: Annotated[
        tuple[str, ...],
        Help("Patterns of names of parameters that are not trained, such as *down.*,*.bias, for fine-tuning."),
    ] = ()
    ema: Annotated[
        Decay | Annotated[tuple[Decay, ...], Meta(min_length=1)],
        Help("EMA decay. Several, such as 0.999,0.9999, give one average each; samples use the first."),
    ] = 0.999
    precision: Precision = "fp32"
    compile: Compile = False
    cuda_graph: Graph = False
    deterministic: Annotated[bool, Help("The same bits at every run on CUDA too, by slower algorithms.")] = False
    data_on_device: Annotated[
        bool | None, Help("Keep the images on a CUDA device where they take at most 30% of its free memory; none: on CUDA.")
    ] = None
    channels_last: Annotated[bool, Help("Memory format channels_last: about 5% faster on a CPU.")] = False
    shard: Annotated[bool, Help("Split the weights over the processes (FSDP).")] = False
    seed: Annotated[Annotated[int, Meta(ge=0, le=2**63 - 1)], Help("Seed of the weights, the data order and the noise.")] = 0

    def __post_init__(self) -> None:
        for name, option in options_of(type(self)).items():
            msgspec.structs.force_setattr(self, name, option.check(getattr(self, name)))

    def changed(self, **changes: Any) -> Self:
        """The options with some changed. Raises TypeError for a name that is none, with the nearest ones."""
        known = options_of(type(self))
        for name in changes:
            if name not in known:
                raise TypeError(f"a trainer has no option {name!r}: {nearest(name, known, 'options')}")
        return msgspec.structs.replace(self, **changes)


@cache
def options_of(kind: type[Struct]) -> Mapping[str, Option]:
    """The options of a structure by name, in order."""
    hints = get_type_hints(kind, include_extras=True)
    fields = {field.name: field for field in msgspec.structs.fields(kind)}
    return {name: Option(name, hints[name], field.default, _help(hints[name])) for name, field in fields.items()}


def nearest(word: str, known: Iterable[str], what: str) -> str:
    """The hint for an unknown word: those that it may be a misspelling of, else all of them, or the nearest of many.

    >>> nearest("smaple", ["sample", "train"], "commands"), nearest("x", ["sample", "train"], "commands")
    ("did you mean 'sample'?", 'the commands are sample, train')
    >>> nearest("x", [f"n{i:02}" for i in range(10, 50)], "classes")
    'the nearest of 40 classes are n49, n48, n47'
    """
    names = list(known)
    if meant := suggestion(word, names):
        return meant
    if len(names) <= MAX_LISTED:
        return f"the {what} are {', '.join(names)}"
    near = difflib.get_close_matches(word, names, n=MAX_SUGGESTIONS, cutoff=0)
    return f"the nearest of {len(names)} {what} are {', '.join(near)}"


def unknown(words: Iterable[str], known: Iterable[str], what: str) -> str:
    """The words that are not known, each a `what`, and a hint; "" where all are known.

    >>> unknown(["hue", "age"], ["age"], "column"), unknown(["age"], ["age"], "column")
    ("no column 'hue': the columns are age", '')
    >>> unknown(["hue", "tone"], ["age", "size"], "column")
    "no columns 'hue', 'tone': the columns are age, size"
    """
    names = list(known)
    match [word for word in words if word not in names]:
        case []:
            return ""
        case [word]:
            return f"no {what} {word!r:.60}: {nearest(word, names, f'{what}s')}"
        case several:
            shown = ", ".join(f"{word!r:.60}" for word in several)
            return f"no {what}s {shown}: the {what}s are {at_most(MAX_LISTED, names)}"


def at_most(most: int, words: Sequence[str]) -> str:
    """At most so many words with commas, and the number of the others.

    >>> at_most(3, "abc"), at_most(3, "abcdef")
    ('a, b, c', 'a, b, c and 3 more')
    """
    return ", ".join(words[:most]) + (f" and {len(words) - most} more" if len(words) > most else "")


def suggestion(word: str, known: Iterable[str]) -> str:
    """The nearest known words as a question; "" where none is near.

    >>> suggestion("smaple", ["sample", "train"])
    "did you mean 'sample'?"
    """
    close = difflib.get_close_matches(word, list(known), n=MAX_SUGGESTIONS)
    return f"did you mean {' or '.join(map(repr, close))}?" if close else ""


def shown(value: Any) -> str:
    """A value as it is written on the command line; strings in quotes, at most 60 characters.

    >>> shown(True), shown(None), shown("mae"), shown((48, 64)), shown(("age", "weight"))
    ('true', 'none', "'mae'", '48x64', 'age,weight')
    """
    if isinstance(value, tuple) and len(value) == 2 and all(type(each) is int for each in value):
        return "x".join(map(str, value))
    if isinstance(value, tuple) and all(isinstance(each, str) for each in value):
        return ",".join(value) or "none"
    text = "none" if value is None else str(value).lower() if isinstance(value, bool) else repr(value)
    return f"{text:.60}"


def _help(kind: Any) -> str:
    return next((str(meta.description) for meta in get_args(kind)[1:] if isinstance(meta, Meta) and meta.description), "")


def _words(kind: Any) -> tuple[str, ...]:
    """Those of a Literal or of a table, in their order, wherever it stands in the type."""
    if isinstance(kind, Meta):
        return tuple(pkgutil.resolve_name(kind.extra["table"])) if kind.extra else ()
    return get_args(kind) if get_origin(kind) is Literal else tuple(word for each in get_args(kind) for word in _words(each))


def _in_words(alternatives: tuple[inspect.Type, ...]) -> list[str]:
    words = []
    for each in alternatives:
        match each:
            case inspect.IntType():
                words.append(f"an integer from {each.ge} to {each.le}")
            case inspect.FloatType():
                words.append(f"a number {_interval(each)}")
            case inspect.VarTupleType() if _is_pair(each):
                words.append("HEIGHTxWIDTH")
            case inspect.VarTupleType():
                words = [f"{words[-1]}, or several of them"] if words else ["a list of strings"]
            case inspect.NoneType():
                words.append("none")
            case _:
                words.append({inspect.BoolType: "true or false", inspect.StrType: "a string"}[type(each)])
    return words


def _is_pair(kind: inspect.Type) -> bool:
    """Whether values of the type are pairs, such as a height and a width."""
    return isinstance(kind, inspect.VarTupleType) and kind.min_length == kind.max_length == 2


def _interval(kind: inspect.FloatType) -> str:
    if kind.le is not None and kind.le > 1:
        return f"above 0, at most {kind.le:g}" if kind.gt is not None else f"from {kind.ge:g} to {kind.le:g}"
    low = f"[{kind.ge:g}" if kind.ge is not None else f"({kind.gt:g}"
    return f"in {low}, {f'{kind.le:g}]' if kind.le is not None else f'{kind.lt:g})'}"
