"""Classifiers of pictures in folders: the pictures, teachers, and networks from random weights."""
