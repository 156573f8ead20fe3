"""The `diffkit` command."""
