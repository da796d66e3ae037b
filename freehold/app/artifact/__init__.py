"""What runs made, wherever it lies."""
