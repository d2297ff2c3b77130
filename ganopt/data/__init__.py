"""Pictures: files and folders, uploads, downloads, and those that a model draws."""
