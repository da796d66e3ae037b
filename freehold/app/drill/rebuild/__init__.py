"""`freehold drill rebuild`: the same pipeline at another site, on another kind of store."""
