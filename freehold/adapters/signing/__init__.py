"""OpenSSF Model Signing."""
