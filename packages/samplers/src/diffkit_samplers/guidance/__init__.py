"""Estimates that are moved along the difference of two or more. Imports estimates and denoiser."""
