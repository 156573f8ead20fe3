"""What several commands' options are. Imports neither NumPy nor torch."""
