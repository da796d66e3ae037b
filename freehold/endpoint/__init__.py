"""The data plane: answers predictions."""
