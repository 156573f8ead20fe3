"""Every option of `diffkit train`: those of the trainer and those of the run. Imports neither NumPy nor torch."""

import re
from collections.abc import Collection, Mapping
from typing import Annotated, Any, TypeAlias

from diffkit_schedules import SCHEDULES
from diffkit_trainer import LOGGERS
from diffkit_trainer.options import (
    SPEED,
    Axes,
    Compile,
    Graph,
    Help,
    Mode,
    Option,
    OptionError,
    Options,
    PositiveInt,
    Precision,
    nearest,
    options_of,
)
from msgspec import Meta

from diffkit_cli.errors import UsageError, flag
from diffkit_cli.recipes import PRESETS
from diffkit_cli.run_config import Side
from diffkit_cli.synonyms import hint

__all__ = [
    *("CHANGEABLE", "CLASS_DROPOUT", "FLAGS", "OPTIONS", "RESUMABLE", "SCHEDULE_NAMES"),
    *("Given", "TrainOptions", "check", "choices"),
]

Given: TypeAlias = dict[str, Any]
"""The options that were given, each in its range; None unsets one: the preset's or the default value counts."""

SCHEDULE_NAMES = tuple(name for name in SCHEDULES if name not in ("discrete", "shift", "zero_terminal_snr", "karras"))
"""The schedules that a name suffices for and whose x is of unit variance, which karras' is not."""

CLASS_DROPOUT = 0.1
"""The class dropout of --classes, and of data with classes."""

Minutes: TypeAlias = Annotated[float, Meta(gt=0, le=1e9)]


HeightAndWidth: TypeAlias = Annotated[tuple[Side, ...], Meta(min_length=2, max_length=2)]
"""Not tuple[Side, Side], at which msgspec 0.22 crashes where it is one of several types."""


class TrainOptions(Options, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The options of a run, resolved: what `resolve` makes of those that were given. Raises OptionError, see `Options`."""

    data: Annotated[
        str,
        Help(
            "Folder, zip or tar of images, folder of IDX files, or .npy, .npz or .safetensors file. Default: the bundled digits."
        ),
    ] = "digits"
    size: Annotated[
        Side | HeightAndWidth | None,
        Help("Crop about the centre and resize to NxN or HxW. Default: 64 for a folder; IDX files as they are."),
    ] = None
    axes: Annotated[
        Axes | None, Help("Axes of an array. Default: by their number; an axis of up to 4 is the channels. One of:")
    ] = None
    mode: Annotated[
        Mode | None,
        Help("Channels of image files: RGBA and LA keep the transparency, L16 the 16 bits of grey. Default: L or RGB."),
    ] = None
    table: Annotated[str | None, Help("Table (CSV) or file of arrays with what --columns names. Default: DATA itself.")] = None
    columns: Annotated[
        tuple[str, ...], Help("Columns of the table to condition the network on, such as age,weight; numbers. Rows by file name.")
    ] = ()
    given: Annotated[
        str | None, Help("Images to condition the network on, such as low resolution, paired with DATA by name.")
    ] = None
    given_size: Annotated[
        Side | HeightAndWidth | None, Help("Size of the images of --given, NxN or HxW. Default: that of DATA.")
    ] = None
    preset: Annotated[str, Help("Network and its recipe. Default: by the size of the images. One of:")] = "images-64"
    linear: Annotated[
        bool, Help("Add the network's output to that of the exact denoiser of a Gaussian fitted to the images.")
    ] = False
    schedule: Annotated[str, Help("Noise schedule. Default: the preset's, else offset_cosine. One of:")] = "offset_cosine"
    steps: Annotated[PositiveInt, Help("Optimiser updates in total. Default: the preset's.")] = 30_000
    precision: Precision = "auto"
    compile: Compile = None
    cuda_graph: Graph = None
    device: Annotated[str, Help("auto, cpu, cuda, cuda:1, mps ...")] = "auto"
    log_every: Annotated[PositiveInt, Help("Steps between log entries.")] = 50
    sample_every: Annotated[PositiveInt, Help("Steps between previews.")] = 1000
    save_every: Annotated[PositiveInt, Help("Steps between checkpoints.")] = 1000
    save_minutes: Annotated[Minutes | None, Help("Minutes between checkpoints, in addition.")] = None
    keep: Annotated[PositiveInt, Help("How many of the newest checkpoints to keep.")] = 2
    keep_every: Annotated[PositiveInt | None, Help("Also keep checkpoints whose step is a multiple of this.")] = None
    process_timeout: Annotated[Minutes, Help("Seconds until a process that does not answer ends the run.")] = 600.0
    pack: Annotated[bool, Help("Cache a folder's decoded images in $DIFFKIT_CACHE or ~/.cache/diffkit.")] = True
    skip_bad: Annotated[bool, Help("Skip files that cannot be read as images.")] = False
    log_to: Annotated[tuple[str, ...], Help("Further loggers: tensorboard, wandb.")] = ()


OPTIONS: Mapping[str, Option] = {name: option for name, option in options_of(TrainOptions).items() if name != "condition"}
"""By name; the condition is the network's own."""

FLAGS = (
    *("size", "table", "columns", "given", "steps", "batch_size", "preset", "schedule", "prediction", "lr", "ema", "seed"),
    *("device", "skip_bad"),
)
"""The options that have a flag; any other is given by --set."""

RESUMABLE = (
    *(
        "data",
        "table",
        "given",
        "steps",
        "device",
        "skip_bad",
        "process_timeout",
        "pack",
        "log_to",
        "accumulate",
        "compile",
        "deterministic",
        "channels_last",
        "shard",
        *SPEED,
    ),
    *("log_every", "sample_every", "save_every", "save_minutes", "keep", "keep_every"),
)
"""The options that may change when a run is resumed: those that change its result by rounding at most."""

CHANGEABLE = ("lr", "decay_steps")
"""The options that may change too, though they change the result: config.json records from which step on."""

SIZES = ("size", "given_size")

REGISTERED: Mapping[str, Collection[str]] = {"preset": PRESETS, "schedule": SCHEDULE_NAMES, "log_to": LOGGERS}
"""The options whose words other distributions may add to."""


def check(name: str, value: Any, *, where: str) -> Any:
    """The value of an option in its type and range; None, or "none", unsets any option.

    where: what the error begins with, "" for flags. Raises UsageError, also for an unknown name, with the nearest ones.
    """
    prefix = f"{where}: " if where else ""
    if name not in OPTIONS:
        way_out = hint(name, {key: repr(key) for key in OPTIONS}) or nearest(name, OPTIONS, "options")
        raise UsageError(f"{prefix}unknown option {name!r:.60}: {way_out}")
    if value is None or (value == "none" and name != "data"):
        return None
    words = choices(name)
    if name == "preset" and isinstance(value, str) and ":" in value and value not in words:
        raise UsageError(f"{prefix}network {value} is not installed: give it by --network {value}")
    if isinstance(value, str) and value not in words and value.replace("-", "_") in words:
        value = value.replace("-", "_")
    try:
        value = OPTIONS[name].check(_size(value) if name in SIZES else value)
        found = value if isinstance(value, tuple) else (value,)
        if name in REGISTERED and not set(found) <= set(words):
            raise OptionError.of_word(name, words, found[0] if len(found) == 1 else value)
    except OptionError as error:
        named = flag(name) if name in FLAGS and not where else name
        raise UsageError(f"{prefix}{named} must be {error.expected}, got {error.found}") from None
    return value


def choices(name: str) -> tuple[str, ...]:
    """The words that the option takes, those that other distributions register included; none where it takes anything.

    >>> choices("precision"), choices("flip"), choices("steps")
    (('auto', 'fp32', 'tf32', 'bf16', 'fp16'), ('false', 'true'), ())
    """
    if name in REGISTERED:
        return tuple(REGISTERED[name])
    return OPTIONS[name].choices or (("false", "true") if isinstance(OPTIONS[name].default, bool) else ())


def _size(value: Any) -> Any:
    """A text HxW as (height, width), and the side of a square of two equal sides; any other value as it is.

    >>> _size("48x64"), _size("64x64"), _size([8, 8]), _size(7)
    ((48, 64), 64, 8, 7)
    """
    if isinstance(value, str) and (match := re.fullmatch(r"(\d{1,9})x(\d{1,9})", value.lower(), re.ASCII)):
        value = int(match[1]), int(match[2])
    square = isinstance(value, list | tuple) and len(value) == 2 and value[0] == value[1]
    return value[0] if square else value
