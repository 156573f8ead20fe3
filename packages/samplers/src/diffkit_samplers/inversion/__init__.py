"""From data to the noise that it is sampled from. Imports estimates, loop, time_grids and tracing."""
