"""What a person can ask of money spent."""
