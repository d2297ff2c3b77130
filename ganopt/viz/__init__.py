"""Sheets of pictures, animations and charts."""
