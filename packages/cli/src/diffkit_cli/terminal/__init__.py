"""Output, progress, errors and signals of the terminal. Imports nothing of the other rooms."""
