"""Training runs as separate processes: starting, watching, stopping and resuming them."""
