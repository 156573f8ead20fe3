"""Images and plots as PNG, GIF and WebP files, with captions and metadata. Imports data, files, pixels and errors."""
