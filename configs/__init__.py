"""Registries and presets as YAML."""
