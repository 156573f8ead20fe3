"""What tests of samplers need: exact denoisers, and a check of a sampler against them."""

from diffkit_samplers.testing.conformance import Report, check_sampler
from diffkit_samplers.testing.oracles import GaussianOracle, MixtureOracle

__all__ = ["GaussianOracle", "MixtureOracle", "Report", "check_sampler"]
