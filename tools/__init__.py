"""Typed tools: one file a tool, one definition for every way in.

`registry.default_registry()` holds them all; `spec.ToolSpec` says what a tool is, `context.ToolContext` what it sees.
"""
