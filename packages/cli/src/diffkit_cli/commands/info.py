"""diffkit info: describe a run, an exported network or a generated image."""

from pathlib import Path
from typing import Annotated

import typer

from diffkit_cli.flags import Json, Work
from diffkit_cli.sampling.pretrained import DIGITS

__all__ = ["info"]


def info(
    path: Annotated[
        Path,
        typer.Argument(
            metavar="RUN|FILE",
            show_default=False,
            help="Run folder, exported network, or PNG of diffkit. Default: the bundled digits network.",
        ),
    ] = DIGITS,
    json: Json = False,
) -> Work:
    """Describe a run, an exported network or a generated image."""
    from diffkit_cli.reports.run import describe
    from diffkit_cli.terminal.console import answer, show, table

    def work() -> None:
        title, rows, document = describe(path)
        if json:
            answer(document)
            return
        shown = table("", "")
        for row in rows:
            shown.add_row(*row)
        show(title, shown)

    return work
