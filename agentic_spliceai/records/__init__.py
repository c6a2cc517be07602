"""What is remembered: runs, interpretations, artifacts."""
