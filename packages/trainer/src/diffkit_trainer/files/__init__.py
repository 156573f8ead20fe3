"""Bytes on disk: atomic writes, strict JSON, tensors, locks. Imports errors alone; knows nothing of images or training."""
