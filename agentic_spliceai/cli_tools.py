"""The `tools` commands."""
