"""Typed tools: one file a tool, one definition for every way in."""
