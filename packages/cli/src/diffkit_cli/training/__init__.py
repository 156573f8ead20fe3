"""From the options of `diffkit train` to a run folder. Imports sampling, for previews, and terminal."""
