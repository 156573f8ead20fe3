"""One update: batch, loss, optimiser, average. Imports data and distributed; never touches a disk."""
