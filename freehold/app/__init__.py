"""What a person can ask for, one file per verb; the only room that joins rooms."""
