"""A network in one file or folder, for other programs. Imports files."""
