"""Distances between sets of pictures: FID, KID, precision and recall."""
