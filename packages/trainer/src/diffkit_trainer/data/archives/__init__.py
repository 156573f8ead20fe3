"""Images in a zip or tar, or in a data set of Hugging Face, read one by one, never unpacked. Imports errors and files."""
