"""The exception that the scripts report as one line, with exit code 2."""

from __future__ import annotations


class UserError(Exception):
    """A problem the user can fix. One line: the file, piece, key or value, what is wrong with it, and what to do."""
