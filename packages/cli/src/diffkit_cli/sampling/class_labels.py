"""From the names of classes to the labels that a network is conditioned on."""

from collections.abc import Mapping, Sequence
from typing import Any

from diffkit_cli.errors import UsageError, nearest

__all__ = ["class_labels"]


def class_labels(
    network: Mapping[str, Any], classes: Sequence[str], names: Sequence[str], images: int, guidance: float = 1.0
) -> list[int] | None:
    """A label for each image, image i of names[i mod len(names)]; None for unconditional samples.

    network: the config of it. classes: the names of its classes. A name is one of them, or a number from 0. Raises UsageError
    for an unknown name, for an unconditional network, for guidance without a class, and where the network has no null class.

    >>> class_labels({"num_classes": 2}, ["rose", "tulip"], ["tulip", "0"], 3)
    [1, 0, 1]
    """
    count = network.get("num_classes")
    if count is not None and not network.get("null_class", True):
        if not names:
            raise UsageError(f"this run's network has no null class: give a class by --class, from 0 to {count - 1}")
        if guidance != 1:
            raise UsageError("--guidance needs a null class, which this run's network does not have: leave it out")
    if not names and guidance == 1:
        return None
    if count is None:
        flag = "--class" if names else "--guidance"
        raise UsageError(f"{flag} needs a class-conditional network; this run's is not: train one with --set class_dropout=0.1")
    if not names:
        raise UsageError(f"--guidance {guidance:g} needs a class: give one by --class")
    known = {str(i): i for i in range(count)} | {name: i for i, name in enumerate(classes[:count])}
    for name in names:
        if name not in known:
            hint = nearest(name, classes or known, "classes")
            raise UsageError(f"--class: this run has no class {name!r}: {hint}")
    return [known[names[i % len(names)]] for i in range(images)]
