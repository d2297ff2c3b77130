"""The command line, `python -m ganopt`."""
