"""The Evaluate page: where a model is wrong, how far to trust it, and which other one is better."""
