"""From a config to the arguments of each block, before any layer exists. Imports no torch."""

from collections.abc import Mapping
from typing import Any, NamedTuple

__all__ = ["BlockArguments", "block_arguments"]


class BlockArguments(NamedTuple):
    """The arguments of each `DownBlock`, of each `ResidualBlock` in the middle and of each `UpBlock`, in forward order."""

    down: list[dict[str, Any]]
    middle: list[dict[str, Any]]
    up: list[dict[str, Any]]


def block_arguments(config: Mapping[str, Any], level_width: int | None) -> BlockArguments:
    """The blocks of a `UNet`, from its resolved config.

    level_width: the length of the vector that each block receives, or None where the level is concatenated to the image.

    >>> from diffkit_unet import UNet
    >>> arguments = block_arguments(UNet(3, widths=(8, 16, 32), embedding=4).config, None)
    >>> [[(block["in_channels"], block["out_channels"]) for block in blocks] for blocks in arguments]
    [[(12, 8), (8, 16)], [(16, 32), (32, 32)], [(32, 16), (16, 8)]]
    """
    widths, depth, attention, ddpm = config["widths"], config["block_depth"], config["attention"], config["layout"] == "ddpm"
    block_widths = widths if ddpm else widths[:-1]
    last = len(block_widths) - 1
    down_channels = [widths[0] + (config["embedding"] if level_width is None else 0), *block_widths]  # of each level, the middle
    up_channels = [*widths[1:], widths[-1]]  # of each level, from the one below it

    common = {name: config[name] for name in ("norms", "norm", "groups", "eps", "dropout", "zero_init", "dims")}
    if level_width is not None:
        common |= {"level": config["level"], "level_width": level_width}

    def block(in_channels: int, width: int, attends: bool) -> dict[str, Any]:
        heads = width // (config["head_channels"] or width) if attends else 0
        return common | {"in_channels": in_channels, "out_channels": width, "heads": heads}

    def resampled(i: int, direction: str) -> dict[str, Any]:  # with "ddpm" the last level has the size of the middle
        return {"depth": depth, direction: None if ddpm and i == last else config[direction]}

    down = [
        block(down_channels[i], width, i in attention) | resampled(i, "down") | {"keep_input": ddpm}
        for i, width in enumerate(block_widths)
    ]
    middle = [
        block(widths[-1] if i else down_channels[-1], widths[-1], config["middle_attention"] and i == 0)
        for i in range(2 if ddpm else depth)
    ]
    up = [
        block(up_channels[i], width, i in attention)
        | resampled(i, "up")
        | {"first_skip": down_channels[i] if ddpm else None, "skips": config["skips"]}
        for i, width in enumerate(block_widths)
    ]
    return BlockArguments(down, middle, up[::-1])
