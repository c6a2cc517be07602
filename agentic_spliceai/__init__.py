"""agentic-spliceai: does a variant change splicing, how, how sure are we, and why."""

__version__ = "0.1.0"
