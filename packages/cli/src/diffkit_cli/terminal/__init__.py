"""Output, progress, errors and signals of the terminal. Imports no other folder."""
