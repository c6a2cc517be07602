"""Planners: from a request in the field's words to a typed plan of an experiment."""
