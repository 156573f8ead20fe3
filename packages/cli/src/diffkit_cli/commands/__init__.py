"""One file a command: parse, call, report. Imports every other room; no command imports another."""
