"""Images in a zip or tar file, read without unpacking it: nothing is written. Imports errors and files."""
