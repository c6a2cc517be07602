"""What a splice change does to a transcript: events, reading frame, protein."""
