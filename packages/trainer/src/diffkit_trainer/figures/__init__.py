"""Images as PNG, GIF and WebP: grids, captions, plots, metadata. Imports data and files."""
