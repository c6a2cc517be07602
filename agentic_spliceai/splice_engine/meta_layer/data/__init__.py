"""What the meta-layer learns from: artifacts, features, variants, targets, datasets and splits."""
