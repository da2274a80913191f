"""The messages of a run that stops or cannot continue: why, and the command or option that helps."""

from __future__ import annotations

from pathlib import Path

from score_following_game.reinforcement_learning.algorithms.losses import Diverged, Losses
from score_following_game.reinforcement_learning.processes import distributed
from score_following_game.reinforcement_learning.processes.process_group import LostProcess
from score_following_game.run_files import BEST_MODEL_FILE, BEST_SCORE_FILE, CHECKPOINT_FILE


def resume_command(directory: Path) -> str:
    """The command line that continues a run with the present number of processes."""
    return distributed.command(f"--resume {directory}")


def after_interrupt(directory: Path, update: int) -> str:
    message = f"\nStopped after update {update}; resume with: {resume_command(directory)}"
    if (directory / BEST_SCORE_FILE).exists():
        return message
    return f"{message}\nNo evaluation yet: {BEST_MODEL_FILE} holds the parameters of update {update}"


def after_lost_process(error: LostProcess, directory: Path, saved_at: int) -> str:
    """saved_at: the update of the latest checkpoint, -1 if there is none."""
    if saved_at < 0:
        return str(error)
    return f"{error}; resume from update {saved_at} with: {resume_command(directory)}"


def after_divergence(error: Diverged, directory: Path, update: int, saved_at: int, losses: Losses | None) -> str:
    """saved_at: as above. losses: of the update before, if there was one."""
    before = f" (the update before: {losses})" if losses else ""
    saved = ""
    if saved_at >= 0:
        saved = (
            f"; the parameters of update {saved_at} are saved: --ini_params {directory / CHECKPOINT_FILE} starts a new run "
            "from them"
        )
    return (
        f"training diverged after update {update}: {error}{before}{saved}; try a smaller lr in --optim_params or "
        "--max_grad_norm 0.5"
    )


def after_the_end(directory: Path, update: int, refinements_used_up: bool) -> str:
    advice = "give a larger --max_updates or --max_minutes to continue"
    if refinements_used_up:
        advice = f"its refinements are used up; start a new run with --ini_params {directory / BEST_MODEL_FILE}"
    return f"{directory}: this run is done after update {update}; {advice}"
