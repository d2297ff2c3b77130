"""Digits of 28 px: the networks of a Keras DCGAN and a classifier, their training, and those that are shipped."""
