"""Steps as threads of this process."""
