"""What a user's project imports."""
