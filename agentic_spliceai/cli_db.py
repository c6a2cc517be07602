"""The `db` commands."""
