"""What a network generates, as its options change. Everything is computed by `diffkit_cli.sampling`."""
