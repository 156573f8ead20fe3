"""Samples that agree with a measurement: inverse problems and inpainting. Imports estimates, loop, sampler and trajectory."""
