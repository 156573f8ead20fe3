"""The page: a header with tabs, and one set of elements for each browser tab that opens it."""

from nicegui import ui

from diffkit_cli.ui.play.tab import PlayTab
from diffkit_cli.ui.runs import trained_below
from diffkit_cli.ui.settings import Settings
from diffkit_cli.ui.style import CSS
from diffkit_cli.ui.watch.tab import WatchTab

__all__ = ["build_page"]

WATCH, PLAY = "Watch", "Play"
MODES = {None: ("brightness_auto", "as the system"), False: ("light_mode", "light"), True: ("dark_mode", "dark")}


def build_page(settings: Settings) -> None:
    """Build the elements of one visit; each browser tab has its own, with its own computations."""
    ui.add_css(CSS)
    ui.colors(primary="#4c78dd")
    dark = ui.dark_mode(None)
    with ui.header(elevated=False).classes("top"), ui.row().classes("bar no-wrap items-center"):
        ui.label("diffkit").classes("brand")
        with ui.tabs().props("dense no-caps inline-label") as tabs:
            ui.tab(WATCH, icon="show_chart")
            ui.tab(PLAY, icon="casino")
        ui.space()
        button = ui.button(icon=MODES[None][0]).props('flat dense round aria-label="Colours: as the system"')
        button.on_click(lambda: _next_mode(dark, button))
    first = WATCH if trained_below(settings.folder) else PLAY
    with ui.tab_panels(tabs, value=first, animated=False, keep_alive=True).classes("w-full bare page"):
        with ui.tab_panel(WATCH).classes("bare"):
            WatchTab(settings)
        with ui.tab_panel(PLAY).classes("bare"):
            play = PlayTab(settings)
    if first == PLAY:
        ui.timer(0, play.start, once=True)
    tabs.on_value_change(lambda event: play.start() if event.value == PLAY else None)


def _next_mode(dark: ui.dark_mode, button: ui.button) -> None:
    """Light, dark, or as the system."""
    dark.value = {None: False, False: True, True: None}[dark.value]
    icon, text = MODES[dark.value]
    button.props(f'icon={icon} aria-label="Colours: {text}"')
