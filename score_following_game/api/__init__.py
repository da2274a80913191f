"""The Python API. Everything offered here is also an attribute of `score_following_game` itself."""
