"""The bundled network of the digits, the default RUN; scripts/make_network.py makes it."""

from pathlib import Path

__all__ = ["DIGITS", "name_of"]

DIGITS = Path(__file__).parents[1] / "bundled" / "digits.safetensors"


def name_of(run: Path) -> str:
    """The name of a run in messages.

    >>> name_of(Path("runs/flowers")), name_of(DIGITS)
    ('runs/flowers', 'the bundled digits network')
    """
    return "the bundled digits network" if run == DIGITS else str(run)
