"""Workflows as YAML."""
