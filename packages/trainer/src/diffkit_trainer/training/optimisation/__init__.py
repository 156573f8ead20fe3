"""The update of the weights: optimisers and learning-rate schedules. Imports errors, options, and shards of distributed."""
