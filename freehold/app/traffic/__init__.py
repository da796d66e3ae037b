"""What was asked of the endpoint, and what came true."""
