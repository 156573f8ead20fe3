"""What a new training run is going to do, in one line, and what makes it fast, in another."""

from diffkit_trainer import Capabilities, described

from diffkit_cli.terminal.console import console, plural, warn
from diffkit_cli.training.options import TrainOptions

__all__ = ["print_summary"]

MANY_EPOCHS, GOOD_EPOCHS = 300, 100


def print_summary(
    options: TrainOptions, images: int, device: Capabilities, *, chosen_precision: bool, noun: str = "image"
) -> None:
    """Print the recipe, the steps and epochs, and the precision; warns of many epochs. On CUDA also what makes it fast.

    images: their number; noun: what they are. chosen_precision: whether the precision was not given.
    """
    epochs = options.steps * options.batch_size / images
    why = ", which the device computes faster than fp32" if chosen_precision and options.precision != "fp32" else ""
    amount = f"{plural(options.steps, 'step')} of {plural(options.batch_size, noun)}"
    passes = f"{epochs:,.0f}" if epochs >= 10 else f"{epochs:.2g}"
    console.print(f"recipe {options.preset}: {amount}, {passes} epochs, in {options.precision}{why}")
    if fast := described(options, device):
        console.print(fast)
    if epochs >= MANY_EPOCHS:
        fewer = max(GOOD_EPOCHS * images // options.batch_size, 1)
        warn(
            f"each {noun} is seen {epochs:,.0f} times, and the network may memorise them: "
            f"give more {noun}s, or --steps {fewer} for {GOOD_EPOCHS} epochs"
        )
