"""Runs one job's work in the current folder."""
