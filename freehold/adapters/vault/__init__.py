"""Keys in the transit engine of HashiCorp Vault or OpenBao."""
