"""One update: batch, loss, optimiser, average. Imports data, distributed, device, errors, limits, options and rng, no files."""
