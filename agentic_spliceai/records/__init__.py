"""What is remembered: runs, experiments, jobs, plans, evidence, interpretations, artifacts."""
