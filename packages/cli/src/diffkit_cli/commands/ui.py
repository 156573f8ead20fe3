"""diffkit ui: a page in the browser to watch runs and to play with their networks."""

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from diffkit_cli.errors import UsageError
from diffkit_cli.flags import Device, Network, Text, Work

__all__ = ["ui"]

PORT = 8080
MAX_PORT = 65535


def ui(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="RUN|FOLDER",
            show_default=False,
            help="Run, or folder of runs. Default: the runs below the working directory.",
        ),
    ] = Path(),
    *,
    host: Annotated[
        str, typer.Option(metavar="HOST", help="Address to listen on; 0.0.0.0 shows the page to other machines.")
    ] = "127.0.0.1",
    port: Annotated[Text, typer.Option(metavar="PORT", help=f"Port to listen on. Default: {PORT}.")] = None,
    data: Annotated[
        Text,
        typer.Option(metavar="DATA", help="Data of the nearest training images. Default: that of the run, if it is in FOLDER."),
    ] = None,
    network: Network = None,
    device: Device = "auto",
) -> Work:
    """Open a page to watch runs and to play with their networks."""
    number = PORT if port is None else int(port) if port.isascii() and port.isdigit() and len(port) < 6 else 0
    if not 1 <= number <= MAX_PORT:
        raise UsageError(f"--port must be an integer from 1 to {MAX_PORT}, got {port!r:.60}")
    if find_spec("nicegui") is None:
        raise UsageError("diffkit ui needs NiceGUI: pip install 'diffkit-cli[ui]'")
    from diffkit_cli.ui.server import serve
    from diffkit_cli.ui.settings import Settings

    def work() -> None:
        if not folder.exists():
            raise FileNotFoundError(2, "No such file or directory", str(folder))
        serve(Settings(folder, device, data), host, number)

    return work
