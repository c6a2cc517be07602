"""The synthetic minigene that `make interpret` runs on: no human sequence, so that it can go anywhere."""
