"""From the names of classes to what the network is told."""

from collections.abc import Mapping, Sequence
from typing import Any

from diffkit_cli.errors import UsageError, nearest

__all__ = ["class_labels"]


def class_labels(
    network: Mapping[str, Any], classes: Sequence[str], names: Sequence[str], images: int, guidance: float = 1.0
) -> list[int] | None:
    """A label for each image, image i of names[i mod len(names)]; None where no class is asked for.

    A name is one of the run's classes, or its number from 0. Raises UsageError for an unknown one, for classes that the run's
    network does not have, for guidance without a class, and where the network has no "no class" for what it needs.

    >>> class_labels({"num_classes": 2}, ["rose", "tulip"], ["tulip", "0"], 3)
    [1, 0, 1]
    """
    count = network.get("num_classes")
    if count is not None and not network.get("null_class", True):
        if not names:
            raise UsageError(f"this run's network draws nothing without a class: give one by --class, from 0 to {count - 1}")
        if guidance != 1:
            raise UsageError('--guidance leads away from "no class", which this run\'s network does not have: leave it out')
    if not names and guidance == 1:
        return None
    if count is None:
        flag = "--class" if names else "--guidance"
        raise UsageError(
            f"{flag} needs a network that was trained with classes; this run's has none: train one by --set class_dropout=0.1"
        )
    if not names:
        raise UsageError(f"--guidance {guidance:g} leads towards a class: give one by --class")
    known = {str(i): i for i in range(count)} | {name: i for i, name in enumerate(classes[:count])}
    for name in names:
        if name not in known:
            hint = nearest(name, classes or known, "classes")
            raise UsageError(f"--class: this run has no class {name!r}: {hint}")
    return [known[names[i % len(names)]] for i in range(images)]
