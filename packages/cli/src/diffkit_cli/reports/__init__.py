"""What commands report of data, runs, schedules and evaluations: tables, JSON, images. Imports sampling and terminal."""
