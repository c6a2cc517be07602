"""Places, sequence and genes."""
