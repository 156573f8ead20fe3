"""What commands report of data, runs, schedules and evaluations, as tables, JSON and images. Imports those below."""
