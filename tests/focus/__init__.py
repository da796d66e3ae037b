"""What the tests know of FOCUS, apart from the product; no tests."""
