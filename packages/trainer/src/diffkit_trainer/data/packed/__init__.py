"""Images decoded once into a file that later runs map into memory. Imports data, files, pixels and errors."""
