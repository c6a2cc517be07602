"""Measures with their intervals, one evaluator for every model, and its digest."""
