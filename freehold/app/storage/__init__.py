"""What the site's own store keeps, and what it lets go."""
