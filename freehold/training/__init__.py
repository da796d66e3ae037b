"""What is measured about a model before anyone relies on it."""
