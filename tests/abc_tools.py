"""Melodies of ABC for tests."""

from __future__ import annotations

from score_following_game.data_preparation.engraving.abc.melody import read_melody
from score_following_game.data_preparation.engraving.abc.tune_book import read_tune_book


def melody_of(music: str, **headers: str):
    headers = {"M": "4/4", "L": "1/4", "K": "C"} | headers
    head = "".join(f"{name}:{value}\n" for name, value in headers.items() if name != "K")
    return read_melody(read_tune_book(f"X:1\nT:t\n{head}K:{headers['K']}\n{music}\n")[0])


def pitches(music: str, **headers: str) -> list[int]:
    return [pitch for _, _, pitch in melody_of(music, **headers).notes()]
