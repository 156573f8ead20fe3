"""Whatever images come from, as one `Images`. Imports files; knows nothing of training."""
