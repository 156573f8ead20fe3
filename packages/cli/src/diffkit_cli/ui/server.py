"""Serves the page on this machine alone, unless asked otherwise; nothing of it comes from another host."""

import os
import socket
from functools import partial

from diffkit_unet import keep_memory
from nicegui import app, ui
from starlette.middleware.trustedhost import TrustedHostMiddleware

from diffkit_cli.errors import UsageError
from diffkit_cli.terminal.console import console
from diffkit_cli.ui.page import build_page
from diffkit_cli.ui.settings import Settings

__all__ = ["serve"]

LOCAL = ("127.0.0.1", "localhost", "::1")
ICON = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8"><rect width="8" height="8" rx="2" fill="#4c78dd"/>
<path d="M2 6V2h2a2 2 0 0 1 0 4z" fill="#fff"/></svg>"""


def serve(settings: Settings, host: str, port: int) -> None:
    """Serve until a signal. Raises UsageError for an address that cannot be had."""
    _require_free(host, port)
    keep_memory()
    shown = f"[{host}]" if ":" in host else host
    app.on_startup(lambda: console.print(f"diffkit ui: http://{shown}:{port} shows {settings.folder}; Ctrl-C ends it"))
    if host in LOCAL:  # a page of another site, under a name that leads here, is not answered
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=[*LOCAL, "[::1]"])
    ui.run(
        partial(build_page, settings),
        host=host,
        port=port,
        title="diffkit",
        favicon=ICON,
        dark=None,
        reload=False,
        show=False,
        show_welcome_message=False,
        message_history_length=100,
        reconnect_timeout=30.0,  # with the default of 3 a busy machine loses the page, which then starts anew
        timeout_graceful_shutdown=3,
        binding_refresh_interval=None,  # nothing here is bound to what does not say that it changed
    )


def _require_free(host: str, port: int) -> None:
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            if os.name == "posix":
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise UsageError(f"--host {host} --port {port}: {error.strerror}: give another") from None
