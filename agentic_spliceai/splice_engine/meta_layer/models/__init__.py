"""The models of the meta-layer."""
