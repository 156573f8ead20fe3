"""The run folder: config, log, checkpoints. Imports training and files."""
