"""A network as one file or folder for other programs. Imports files and errors."""
