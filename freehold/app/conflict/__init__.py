"""What sites that did not know of each other decided about the same thing."""
