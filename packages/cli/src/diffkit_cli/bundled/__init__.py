"""The networks that come with the command, by name, each an exported file that packages/cli/scripts/make_network.py makes."""

from pathlib import Path

__all__ = ["BUNDLED", "DEFAULT", "DIGITS", "bundled", "name_of"]

BUNDLED = {name: Path(__file__).with_name(f"{name}.safetensors") for name in ("fashion", "digits")}
DEFAULT, DIGITS = BUNDLED["fashion"], BUNDLED["digits"]
"""DEFAULT is the default RUN. The images of DIGITS are bundled too."""


def bundled(run: Path) -> Path:
    """The bundled network of that name, unless a file or folder has it; any other run as it is.

    >>> bundled(Path("digits")) == DIGITS, bundled(Path("runs/digits"))
    (True, PosixPath('runs/digits'))
    """
    return run if run.exists() else BUNDLED.get(str(run), run)


def name_of(run: Path) -> str:
    """The name of a run in messages.

    >>> name_of(Path("runs/flowers")), name_of(DIGITS)
    ('runs/flowers', 'the bundled digits network')
    """
    return next((f"the bundled {name} network" for name, path in BUNDLED.items() if path == run), str(run))
