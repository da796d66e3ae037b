"""What would run, what is cached, and why."""
