"""What tests of samplers need: exact denoisers, and a check of a whole sampler."""

from diffkit_samplers.conformance import Report, check_sampler
from diffkit_samplers.oracles import GaussianOracle, MixtureOracle

__all__ = ["GaussianOracle", "MixtureOracle", "Report", "check_sampler"]
