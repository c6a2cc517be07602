"""Experiments: what to train and evaluate, as data; running one; comparing several."""
