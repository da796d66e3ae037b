"""What others need for the same work: environments of their own, and a runner for each."""
