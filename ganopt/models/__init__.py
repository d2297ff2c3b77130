"""Networks, their names and weights, and drawing with them."""
