"""From the names of classes to the labels that a network is conditioned on."""

from collections.abc import Sequence

from diffkit_cli.errors import UsageError, nearest
from diffkit_cli.run_config import RunConfig

__all__ = ["NULL", "class_captions", "class_labels", "class_names", "classes_in_turn", "null_class"]

NULL = "none"
"""The name of the null class, that of unconditional samples, unless a class has it."""


def classes_in_turn(config: RunConfig) -> tuple[str, ...]:
    """The classes of which a run generates images in turn where none is given: all that it has learned."""
    if config.num_classes is None or config.class_dropout == 1:
        return ()
    return tuple(config.data.classes[: config.num_classes]) or tuple(map(str, range(config.num_classes)))


def null_class(config: RunConfig) -> tuple[str, ...]:
    """The class of unconditional samples: `NULL`, none where the network has no classes."""
    return () if config.num_classes is None else (NULL,)


def class_labels(config: RunConfig, names: Sequence[str], images: int, guidance: float = 1.0) -> list[int] | None:
    """A label for each image, image i of names[i mod len(names)]; None for unconditional samples.

    A name is that of a class, its number from 0, or `NULL`. Raises UsageError for an unknown name, for a class of an
    unconditional network, for guidance without a class, and for what the network has not learned: classes, or the null class.
    """
    count, classes = config.num_classes, config.data.classes
    if count is None:
        if names or (guidance != 1 and not config.conditions):
            option = "--class" if names else "--guidance"
            raise UsageError(f"{option} needs a class-conditional network; this run's is not: train one with --classes")
        if guidance != 1 and not config.class_dropout:
            raise UsageError("--guidance needs missing conditions, which this run has not learned (class_dropout 0)")
        return None
    known = {NULL: count} | {str(i): i for i in range(count)} | {name: i for i, name in enumerate(classes[:count])}
    for name in names:
        if name not in known:
            if "," in name and all(part.strip() in known for part in name.split(",")):
                raise UsageError(f"--class takes one class, got {name!r}: repeat --class for several")
            raise UsageError(f"--class: this run has no class {name!r}: {nearest(name, classes or known, 'classes')}")
    used = {known[name] for name in names} or {count}
    _require_learned(config, count, used, guidance)
    if guidance != 1 and used == {count} and not config.conditions:
        raise UsageError(f"--guidance {guidance:g} needs a class: give one by --class")
    return [known[names[i % len(names)]] for i in range(images)] if names else None


def class_names(config: RunConfig, labels: Sequence[int]) -> list[str]:
    """The names of classes; a class without a name has its number, the null class is `NULL`."""
    names = config.data.classes
    return [NULL if label == config.num_classes else names[label] if label < len(names) else str(label) for label in labels]


def class_captions(config: RunConfig, labels: Sequence[int] | None) -> list[str]:
    """The class of each image in words, for a figure of several classes; empty where all images are of one class, or of none."""
    return class_names(config, labels or ()) if len(set(labels or ())) > 1 else []


def _require_learned(config: RunConfig, count: int, used: set[int], guidance: float) -> None:
    if config.class_dropout == 1 and used != {count}:
        raise UsageError(f"--class: this run has learned no class (class_dropout 1): use --class {NULL}")
    missing = ""
    if not config.network.get("null_class", True):
        missing = "does not have"
    elif config.class_dropout == 0:
        missing = "has not learned (class_dropout 0)"
    if missing and count in used:
        raise UsageError(f"unconditional samples need a null class, which this run {missing}: give a class by --class")
    if missing and guidance != 1:
        raise UsageError(f"--guidance needs a null class, which this run {missing}: leave it out")
