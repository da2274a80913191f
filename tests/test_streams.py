"""Standard streams that are closed while somebody still has them, as a library that prints at the end of Python."""

from __future__ import annotations

import io

from score_following_game.streams import Output


def test_a_stream_that_is_closed_meanwhile_goes_nowhere() -> None:
    inner = io.StringIO()
    output = Output(inner, stops=False)
    output.write("a")
    inner.close()
    assert not output.isatty()
    assert output.failure is None
    assert output.write("lost") == 4
    output.flush()
    assert output.failure is not None and output.failure.strerror == "Bad file descriptor"
