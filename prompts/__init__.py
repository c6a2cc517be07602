"""Prompts as Markdown with named placeholders."""
