"""Images that were decoded once, in a file that later runs map into memory. Imports data and files."""
