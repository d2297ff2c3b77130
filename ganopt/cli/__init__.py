"""The command line: `ganopt`, or `python -m ganopt`."""
