"""The lock of a folder: one holder at a time, and nothing of the user's is touched."""

import fcntl
from pathlib import Path

import pytest

from score_following_game.errors import UserError
from score_following_game.files import WriteError, locked


def test_a_process_that_waited_for_the_lock_shares_it_with_nobody(tmp_path: Path):
    """Another process opens the lock file while it is held and locks it after its release: a third must stay out."""
    with locked(tmp_path), pytest.raises(UserError, match="another run is at work there"), locked(tmp_path):
        pass
    with locked(tmp_path):
        waiting = (tmp_path / ".lock").open("r+")
    with waiting:
        fcntl.flock(waiting, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with pytest.raises(UserError, match="another run is at work there"), locked(tmp_path):
            pass
    with locked(tmp_path):
        pass


def test_a_lock_file_keeps_its_content(tmp_path: Path):
    (tmp_path / ".lock").write_text("a user's notes")
    with locked(tmp_path):
        pass
    assert (tmp_path / ".lock").read_text() == "a user's notes"


def test_a_lock_that_is_a_link_is_refused(tmp_path: Path):
    (tmp_path / "precious").write_text("kept")
    (tmp_path / ".lock").symlink_to(tmp_path / "precious")
    with pytest.raises(WriteError, match=r"\.lock"), locked(tmp_path):
        pass
    assert (tmp_path / "precious").read_text() == "kept"
