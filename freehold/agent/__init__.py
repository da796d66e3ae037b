"""A site's hands: pulls, runs what is planned there, pushes."""
