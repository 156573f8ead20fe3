"""The run folder: config, log, checkpoints. Imports training, distributed, files, pixels and errors."""
