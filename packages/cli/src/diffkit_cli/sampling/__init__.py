"""From a run to images. Imports terminal."""
