"""The `jobs` commands."""
