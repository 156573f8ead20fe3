"""Methods and times fitted to one denoiser. Imports methods, grids and the modules of the package's root."""
