"""The network that comes with the command: the digits, for a RUN that is not given; scripts/make_digits_network.py makes it."""

from pathlib import Path

__all__ = ["DIGITS", "named"]

DIGITS = Path(__file__).parents[1] / "digits" / "model.safetensors"


def named(run: Path) -> str:
    """What a person calls the run.

    >>> named(Path("runs/flowers")), named(DIGITS)
    ('runs/flowers', 'the digits that come with diffkit')
    """
    return "the digits that come with diffkit" if run == DIGITS else str(run)
