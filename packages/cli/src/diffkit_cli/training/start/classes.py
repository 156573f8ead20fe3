"""Whether a new run learns the classes of its data, and the line that says so."""

import dataclasses

from diffkit_trainer import Images
from msgspec.structs import replace

from diffkit_cli.errors import UsageError
from diffkit_cli.networks import Inputs, network_config, outline_of
from diffkit_cli.recipes import UNETS, recipe_of
from diffkit_cli.run_config import RunConfig
from diffkit_cli.terminal.console import console, listed, plural
from diffkit_cli.training.options import CLASS_DROPOUT, Given, TrainOptions

__all__ = ["print_classes", "with_classes", "without_unused_classes"]

UNCONDITIONAL = "preset {} is unconditional, --classes trains with them"
NO_CLASSES = "the network of preset {} takes none"
PAIRS = "--given conditions the network, --classes trains with them too"


def with_classes(options: TrainOptions, given: Given, images: Images) -> tuple[TrainOptions, str]:
    """The options of a new run with its class dropout, and the reason why classes are left out, "" for none.

    Where no dropout is given, it is `CLASS_DROPOUT` where the data has several classes and the preset takes them; 0 for a network
    without a null class. Raises UsageError for a dropout that is given for data, or a network, without classes.
    """
    preset, chosen = options.preset, options.class_dropout
    if chosen is None and not images.conditions and ("class_dropout" in given or len(images.classes) < 2):
        return options, ""
    if chosen is None and "class_dropout" in recipe_of(preset):
        return options, UNCONDITIONAL.format(preset)
    if images.conditions and len(images.classes) < 2:
        dropout = chosen if chosen is not None else CLASS_DROPOUT if preset in UNETS else 0.0  # others may not take NaN
        return replace(options, class_dropout=dropout), ""
    if not images.classes:
        raise UsageError("the data has no classes, a subfolder or a label for each: leave --classes and class_dropout out")
    default = _dropout_of(preset, images)
    if default is None and chosen is not None:
        raise UsageError(f"{NO_CLASSES.format(preset)}: leave --classes and class_dropout out")
    if default is None:
        return options, NO_CLASSES.format(preset)
    return (options if chosen is not None else replace(options, class_dropout=default)), ""


def without_unused_classes(images: Images, given: Given, stored: RunConfig | None) -> Images:
    """The images without their classes where conditions are all that the network is given; prints that.

    So it is for pairs, unless the options that were given have classes. stored: of a network that is trained further, which has
    classes or not.
    """
    if not images.conditions or images.labels is None:
        return images
    if stored is not None:
        used, reason = bool(stored.data.classes), ""
    else:
        used = given.get("class_dropout", None if given.get("given") else CLASS_DROPOUT) is not None
        reason = "" if "class_dropout" in given else PAIRS
    if used:
        return images
    print_classes(TrainOptions(class_dropout=None), images, reason)
    return dataclasses.replace(images, labels=None, classes=())


def print_classes(options: TrainOptions, images: Images, reason: str = "") -> None:
    """Print the classes of the data, and whether they are used; nothing for fewer than two. reason: why they are not used."""
    if len(images.classes) > 1:
        unused = f", not used{reason and f' ({reason})'}" if options.class_dropout is None else ""
        console.print(f"{plural(len(images.classes), 'class')} found{unused}: {listed(images.classes)}")


def _dropout_of(preset: str, images: Images) -> float | None:
    """The default dropout for the preset's network; None where it takes no classes."""
    if preset in UNETS:
        return CLASS_DROPOUT
    classes = len(images.classes)
    try:
        network = outline_of(network_config(preset, Inputs.of(images, classes)))
    except ValueError:  # a network that refuses classes
        return None
    if getattr(network, "num_classes", None) != classes:
        return None
    return CLASS_DROPOUT if getattr(network, "null_class", True) else 0.0
