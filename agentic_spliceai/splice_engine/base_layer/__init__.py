"""What the base model says: network, weights, registry, scoring."""
