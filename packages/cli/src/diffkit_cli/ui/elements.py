"""Elements that the tabs share: messages of errors, images, copied texts."""

from nicegui import ui

from diffkit_cli.terminal.failures import explain
from diffkit_cli.terminal.streams import visible, write_error

__all__ = ["Message", "copy_text", "image", "set_image"]


class Message:
    """A line for errors, read aloud when it changes; empty and hidden otherwise."""

    def __init__(self) -> None:
        self.label = ui.label().props("role=alert").classes("message")
        self.clear()

    def clear(self) -> None:
        self.label.set_text("")
        self.label.set_visibility(False)

    def show(self, error: BaseException) -> None:
        """The line of an error, as the command prints it; of a bug, its last line, and the traceback on the terminal."""
        text, code = explain(error)
        if code == 1:
            write_error(text)
            text = f"a bug in diffkit: {text.splitlines()[-1]}"
        self.label.set_text(visible(text.removeprefix("diffkit: ")))
        self.label.set_visibility(True)


EMPTY = "data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEAAAAALAAAAAABAAEAAAICRAEAOw=="
"""A transparent pixel."""


def image(alt: str, source: str = EMPTY) -> ui.element:
    """An image without smoothing."""
    element = ui.element("img").classes("pixels")
    set_image(element, source, alt)
    return element


def set_image(element: ui.element, source: str, alt: str | None = None) -> None:
    """Show another image, a data URL."""
    element.props["src"] = source
    if alt is not None:
        element.props["alt"] = alt
    element.update()


def copy_text(text: str) -> None:
    """Copy a text to the clipboard of the browser."""
    ui.clipboard.write(text)
    ui.notify(f"copied: {text}", position="bottom")
