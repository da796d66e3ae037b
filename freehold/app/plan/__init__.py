"""What plans stand on, and how they are carried out."""
