"""The game of generator and critics: losses, penalties, augmentation, and how they are put together."""
