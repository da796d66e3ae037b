"""Objects encrypted before any store sees them."""
