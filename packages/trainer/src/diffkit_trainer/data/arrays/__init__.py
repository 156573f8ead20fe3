"""Samples in files of arrays, mapped into memory where the format allows it. Imports images, errors, files and pixels."""
