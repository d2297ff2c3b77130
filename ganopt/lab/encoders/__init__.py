"""Autoencoders and pre-trained encoders: their data, networks, penalties, and answers that are known."""
