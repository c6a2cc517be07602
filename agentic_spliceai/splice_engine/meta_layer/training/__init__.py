"""Training on Lightning: tasks, losses, optimisation, checkpoints."""
