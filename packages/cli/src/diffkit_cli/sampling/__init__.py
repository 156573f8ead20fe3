"""From a run to samples: options, model, generation, files. Imports terminal and the modules of the package's root."""
