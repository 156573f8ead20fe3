"""One file per command: parse, call, report. Imports every other folder; no command imports another.

A command parses its flags, imports what it needs, and returns the function that does the work. Nothing heavy is imported at
the top of a file: help and completion import all of them.
"""
