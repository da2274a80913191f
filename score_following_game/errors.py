"""The one exception the scripts turn into a line and exit code 2."""

from __future__ import annotations


class UserError(Exception):
    """Something a user can mend: says what was wrong, where (file, piece, key, value) and what to do, in one line."""
