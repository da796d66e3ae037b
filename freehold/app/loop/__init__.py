"""The loop: what was seen leads to signals, proposals, retraining, and releases that move."""
