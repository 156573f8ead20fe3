"""Sliders that the keyboard moves and that have a name: the browser's own."""

from collections.abc import Callable
from typing import Any

from nicegui import events, ui

__all__ = ["NumberSlider", "Slider"]


class Slider(ui.element):
    """A slider with a name; on_change is called when it is moved, not when it is set."""

    def __init__(
        self, name: str, value: float, low: float, high: float, step: float = 1, on_change: Callable[[], Any] | None = None
    ) -> None:
        super().__init__("input")
        self.value, self.high, self._on_change = value, high, on_change
        self.classes("slider")
        self.props["type"] = "range"
        self.props.update({"aria-label": name, "min": low, "max": high, "step": step, "^value": value})
        self.on("input", self._moved, js_handler="event => emit(Number(event.target.value))", throttle=0.05)

    def set(self, value: float, high: float | None = None) -> None:
        """Another value, and another end."""
        self.value, self.high = value, self.high if high is None else high
        self.props.update({"max": self.high, "^value": value})
        self.update()
        # an attribute is a slider's first value alone: what was moved since keeps its own
        self.client.run_javascript(f"const e = getHtmlElement({self.id}); if (e) {{ e.max = {self.high}; e.value = {value} }}")

    def _moved(self, event: events.GenericEventArguments) -> Any:
        self.value = event.args
        return None if self._on_change is None else self._on_change()


class NumberSlider:
    """A slider and the number that it stands for, which may be typed, beyond the slider's ends too."""

    def __init__(
        self, name: str, value: float, low: float, high: float, step: float, on_change: Callable[[], Any], hint: str = ""
    ) -> None:
        self._low, self._on_change = low, on_change
        with ui.row().classes("w-full items-center no-wrap gap-3") as self.row:
            # without its ends, or the browser would refuse a number beyond them
            self._number = (
                ui.number(name, value=value, step=step, on_change=self._typed).props("dense debounce=300").classes("w-24")
            )
            self._slider = Slider(name, self._inside(value, high), low, high, step, self._moved)
            if hint:
                ui.tooltip(hint)

    @property
    def value(self) -> float | None:
        """The number; None where there is none."""
        found: float | None = self._number.value
        return found

    def set_value(self, value: float) -> None:
        """Another number, as if it was typed."""
        self._number.set_value(value)

    def set_visibility(self, visible: bool) -> None:
        """Show or hide both."""
        self.row.set_visibility(visible)

    def _typed(self) -> Any:
        self._slider.set(self._inside(self.value, self._slider.high))
        return self._on_change()

    def _moved(self) -> None:
        self._number.set_value(self._slider.value)  # which calls on_change

    def _inside(self, value: float | None, high: float) -> float:
        return min(max(self._low if value is None else value, self._low), high)
