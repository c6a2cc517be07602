"""Where jobs run: one protocol, and its backends."""
