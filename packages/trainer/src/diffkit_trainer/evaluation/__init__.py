"""How good samples are. Imports data; knows nothing of runs."""
