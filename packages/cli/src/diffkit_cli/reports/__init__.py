"""What commands report of data, runs, schedules and evaluations: tables, JSON, images. Imports training, sampling and terminal."""
