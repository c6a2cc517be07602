"""From data on disk to a trained and evaluated model, one function a step; the command line calls these."""
