"""The thesis's experiments: what is trained and measured for its tables."""
