"""Networks as files, and pipelines of diffusers. Imports the modules of the package's root that describe a run."""
