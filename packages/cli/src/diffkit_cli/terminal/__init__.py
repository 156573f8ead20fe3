"""What people see: console, progress, signals, errors. Imports nothing of the other rooms."""
