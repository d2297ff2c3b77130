"""The one exception that a user may see."""


class UserError(ValueError):
    """Something the user can mend. Its text is one sentence: what was wrong and what to do."""
