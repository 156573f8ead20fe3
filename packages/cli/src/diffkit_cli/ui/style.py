"""The style of the page, light and dark, wide and narrow; fonts are the system's."""

__all__ = ["CSS"]

CSS = """
:root { --line: rgba(128, 134, 145, .28); --muted: #6b7280; --paper: #fbfbfc; --ink: #1d2129; --figure: #eceef2 }
.body--dark { color-scheme: dark; --muted: #9aa2af; --paper: #14161a; --ink: #e7e9ee; --figure: #22262d }
body, .q-btn, .q-field, .q-tab { font-family: system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif }
body { background: var(--paper) !important; color: var(--ink) }
.nicegui-content { padding: 0; gap: 0 }
.top { background: var(--paper) !important; color: var(--ink) !important; border-bottom: 1px solid var(--line);
  padding: 0 1rem }
.bar { width: 100%; max-width: 84rem; margin: 0 auto }
.brand { font-weight: 700; letter-spacing: -.02em; font-size: 1.15rem; margin-right: .75rem }
.page.page { max-width: 84rem; margin: 0 auto; padding: 1rem; background: transparent !important }
.bare { padding: 0; background: transparent !important }
.bare > .q-panel, .bare .q-panel { overflow: visible }
.muted { color: var(--muted); font-size: .875rem }
.heading { font-weight: 600 }
.message { color: #b42318; background: rgba(217, 45, 32, .1); border-radius: .5rem; padding: .5rem .75rem; width: 100%;
  overflow-wrap: anywhere }
.body--dark .message { color: #ff9d94 }
.q-card { background: transparent; border-radius: .75rem; border-color: var(--line) !important; box-shadow: none;
  max-width: 100% }
.pixels { image-rendering: pixelated; display: block; background: var(--figure); border-radius: .375rem }
.preview { width: 100%; max-width: 36rem; height: auto }
.charts { grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 1rem; margin: .75rem 0 }
.chart { height: 19rem; width: 100% }
.config { border-collapse: collapse; font-size: .875rem; display: block; overflow-x: auto }
.config td { padding: .2rem 1rem .2rem 0; border-bottom: 1px solid var(--line); vertical-align: top; overflow-wrap: anywhere }
.config td:first-child { color: var(--muted); white-space: nowrap }
.play { display: grid; width: 100%; grid-template-columns: 20rem minmax(0, 1fr); gap: 1.5rem; align-items: start }
.controls { padding: 1rem; gap: .75rem }
.results, .results > *, .results .q-panel, .results .q-tab-panel { width: 100%; min-width: 0 }
.results { gap: .75rem }
.gallery { display: grid; width: 100%; grid-template-columns: repeat(auto-fill, minmax(9.5rem, 1fr)); gap: 1rem;
  margin: .75rem 0 }
.gallery figure { margin: 0 }
.gallery .pixels { width: 100%; aspect-ratio: auto }
.gallery figcaption { display: flex; flex-wrap: wrap; justify-content: space-between; align-items: center; color: var(--muted);
  font-size: .8125rem }
.gallery.large { grid-template-columns: minmax(0, 18rem) }
.gallery.strip { grid-template-columns: repeat(auto-fill, minmax(6.5rem, 1fr)); gap: .5rem; margin: .25rem 0 }
.canvas { width: 18rem; max-width: 100%; touch-action: none; cursor: crosshair }
.canvas img { image-rendering: pixelated }
.upload { display: none }
.strip figcaption { flex-direction: column; align-items: flex-start }
.waiting { visibility: hidden }
input.slider { flex: 1 1 auto; width: 100%; min-width: 4rem; accent-color: #4c78dd; height: 1.5rem }
:focus-visible { outline: 2px solid #4c78dd; outline-offset: 2px }
@media (max-width: 48rem) {
  .play { grid-template-columns: 1fr }
  .play .results { order: -1 }
  .page.page { padding: .75rem }
  .charts { grid-template-columns: 1fr }
  .gallery { grid-template-columns: repeat(auto-fill, minmax(7rem, 1fr)); gap: .75rem }
}
"""
