"""One update: batch, loss, optimiser, average. Imports acceleration, data, distributed, device, errors, options and rng."""
