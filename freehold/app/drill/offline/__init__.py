"""`freehold drill offline`: sites that go on alone, and meet again."""
