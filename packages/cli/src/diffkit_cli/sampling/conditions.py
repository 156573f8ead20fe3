"""From NAME=VALUE texts to the conditions that a network is given."""

import math
from collections.abc import Sequence
from pathlib import Path

import torch
from diffkit_trainer import DataError, Normalisation, read_image
from diffkit_trainer.data import array_names, is_array_file, read_array
from torch import Tensor

from diffkit_cli.errors import UsageError, unknown
from diffkit_cli.run_config import Condition, RunConfig
from diffkit_cli.sampling.class_labels import NULL
from diffkit_cli.sampling.condition_texts import GIVEN, is_file, values_by_name

__all__ = ["read_conditions"]

DTYPES = {"uint8": torch.uint8, "float32": torch.float32}


def read_conditions(config: RunConfig, texts: Sequence[str], count: int) -> dict[str, Tensor]:
    """The conditions of a run for `count` samples, (count, ...) by name, normalised; several values of one are taken in turn.

    texts: NAME=VALUE, where the value is numbers with commas for a vector, an image or an array file (.npy, .npz, .safetensors)
    of one sample's shape, or "none" where it is missing. Raises UsageError for names that the run does not have, for values that
    do not fit, and where one is left out; DataError for files that cannot be read, or that have another shape.
    """
    values = values_by_name(texts)
    if values and not config.conditions:
        raise UsageError(f"{_flag(next(iter(values)))}: this run has no conditions")
    if problem := unknown(values, config.conditions, "condition"):
        flag = _flag(GIVEN) if values.keys() - config.conditions.keys() == {GIVEN} else "--condition"
        raise UsageError(f"{flag}: this run has {problem}")
    if missing := [name for name in config.conditions if name not in values]:
        flags = [f"--given FILE or --condition {name}=none" if name == GIVEN else f"--condition {name}=VALUE" for name in missing]
        raise UsageError(f"this run is conditioned on {', '.join(missing)}: give {' '.join(flags)}")
    found, errors = dict[str, list[Tensor]](), list[ValueError | DataError]()
    for name, texts_of_one in values.items():
        for text in texts_of_one:
            try:
                found.setdefault(name, []).append(_value(config, name, text))
            except (UsageError, DataError) as error:
                errors.append(error)
    if errors:
        kind = DataError if all(isinstance(error, DataError) for error in errors) else UsageError
        raise kind("; ".join(dict.fromkeys(map(str, errors))))
    return {name: torch.cat(found[name])[[i % len(found[name]) for i in range(count)]] for name in config.conditions}


def _flag(name: str) -> str:
    return f"--{GIVEN}" if name == GIVEN else f"--condition {name}"


def _value(config: RunConfig, name: str, text: str) -> Tensor:
    """One value as the network gets it, (1, ...)."""
    condition = config.conditions[name]
    if text == NULL:
        if not config.class_dropout:
            learned = "" if config.class_dropout is None else f" (class_dropout {config.class_dropout:g})"
            raise UsageError(f"--condition {name}={NULL}: this run has not learned a missing condition{learned}: give a value")
        return torch.full((1, *condition.shape), torch.nan)
    value = _from_file(name, condition, Path(text)) if is_file(text) else _numbers(name, condition, text)
    if not value.isfinite().all():
        raise DataError(f"{_flag(name)}: {text} holds NaN or infinity")
    normalised: Tensor = Normalisation(tuple(condition.mean), tuple(condition.std)).to_network(value[None])
    return normalised


def _numbers(name: str, condition: Condition, text: str) -> Tensor:
    if len(condition.shape) > 1:
        raise DataError(f"{_flag(name)}: expected a file of {_shown(condition)}, found none of the name {text!r:.60}")
    try:
        numbers = [float(each) for each in text.split(",")]
    except ValueError:
        numbers = []
    expected = condition.shape[0] if condition.shape else 1
    if len(numbers) != expected or not all(map(math.isfinite, numbers)):
        what = "a number" if expected == 1 else f"{expected} numbers with commas"
        raise UsageError(f"--condition {name} must be {what}, or {NULL}; got {text!r:.60}")
    return torch.tensor(numbers).to(DTYPES[condition.type]).reshape(condition.shape)


def _from_file(name: str, condition: Condition, path: Path) -> Tensor:
    if is_array_file(path):
        names = array_names(path)
        value = read_array(path, name if name in names else names[0])
    elif len(condition.shape) == 3 and condition.shape[0] in (1, 3):
        channels, height, width = condition.shape
        value = read_image(path, (channels, height, width))
    else:
        raise DataError(f"{path}: expected an array file of {_shown(condition)} for {name}, such as .npy")
    if value.shape != condition.shape:
        raise DataError(f"{path}: is {' x '.join(map(str, value.shape))}, {name} is {_shown(condition)}")
    if value.dtype == torch.uint8 and condition.type != "uint8":
        return value.float()
    return value


def _shown(condition: Condition) -> str:
    return " x ".join(map(str, condition.shape)) or "one number"
