"""A conversation that plans experiments, runs them after approval, and explains what was found."""
