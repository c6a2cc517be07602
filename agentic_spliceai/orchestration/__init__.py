"""Workflows: YAML, checked whole, built into a LangGraph graph and run.

`loader` reads, `validator` checks, `builder` compiles, `runner` runs. Only `builder` and `runner` load LangGraph.
"""
