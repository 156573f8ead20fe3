"""What makes a device fast: the options it gets, kernels, compiled networks, CUDA graphs. Imports errors and options."""
