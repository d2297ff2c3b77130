"""Pictures from files and folders, uploads, downloads and models."""
