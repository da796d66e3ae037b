"""How much traffic each variant gets; promote, hold, roll back."""
