"""What is learned on top of a base model."""
