"""Parts that the diffkit command offers by name: a sampler, a schedule, a network and a logger, one file each."""
