"""Training runs as processes of their own: start, follow, stop and resume them."""
