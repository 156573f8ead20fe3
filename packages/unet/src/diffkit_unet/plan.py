"""Which blocks a config stands for, and what comes into each: a U-Net before there are layers."""

from collections.abc import Mapping
from typing import Any, NamedTuple

__all__ = ["Plan", "plan_of"]


class Plan(NamedTuple):
    """The arguments of every `DownBlock`, of the middle's `ResidualBlock`s and of every `UpBlock`, in the order of their work."""

    down: list[dict[str, Any]]
    middle: list[dict[str, Any]]
    up: list[dict[str, Any]]


def plan_of(config: Mapping[str, Any], level_width: int | None) -> Plan:
    """The blocks of a `UNet` whose config is `resolved`.

    level_width: the length of the vector that each block is given, or None where the level comes with the image, as a map.

    >>> from diffkit_unet import UNet
    >>> plan = plan_of(UNet(3, widths=(8, 16, 32), embedding=4).config, None)
    >>> [[(each["in_channels"], each["out_channels"]) for each in way] for way in plan]
    [[(12, 8), (8, 16)], [(16, 32), (32, 32)], [(32, 16), (16, 8)]]
    """
    widths, depth, attention, ddpm = config["widths"], config["block_depth"], config["attention"], config["layout"] == "ddpm"
    sides = widths if ddpm else widths[:-1]
    last = len(sides) - 1
    entering = [widths[0] + (config["embedding"] if level_width is None else 0), *sides]  # each level, and the middle
    returning = [*widths[1:], widths[-1]]  # each level, from the one below it

    common = {name: config[name] for name in ("norms", "norm", "groups", "eps", "dropout", "zero_init")}
    if level_width is not None:
        common |= {"level": config["level"], "level_width": level_width}

    def block(into: int, width: int, attends: bool) -> dict[str, Any]:
        heads = width // (config["head_channels"] or width) if attends else 0
        return common | {"in_channels": into, "out_channels": width, "heads": heads}

    def resized(i: int, way: str) -> dict[str, Any]:  # the DDPM paper's last level is as large as the middle
        return {"depth": depth, way: None if ddpm and i == last else config[way]}

    down = [
        block(entering[i], width, i in attention) | resized(i, "down") | {"keep_input": ddpm} for i, width in enumerate(sides)
    ]
    middle = [
        block(widths[-1] if i else entering[-1], widths[-1], config["middle_attention"] and i == 0)
        for i in range(2 if ddpm else depth)
    ]
    up = [
        block(returning[i], width, i in attention) | resized(i, "up") | {"first_skip": entering[i] if ddpm else None}
        for i, width in enumerate(sides)
    ]
    return Plan(down, middle, up[::-1])
