"""Training and evaluation of the small base model that ships with the package."""
