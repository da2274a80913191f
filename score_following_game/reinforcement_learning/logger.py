"""The log of a run: console lines, TensorBoard curves and learning_curve.csv (names: docs/training_log.md)."""

from __future__ import annotations

import csv
import io
import math
import shlex
import sys
import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from score_following_game.evaluation.metrics import STATISTICS, AlignmentStats
from score_following_game.files import replacing
from score_following_game.reinforcement_learning.algorithms.losses import Losses
from score_following_game.reinforcement_learning.curves import Curves
from score_following_game.reinforcement_learning.diagnostics import console_line
from score_following_game.reinforcement_learning.processes import distributed
from score_following_game.reinforcement_learning.settings import Settings, settings_as_dict


class Stopwatch:
    """Seconds of training, including those before a --resume and excluding evaluations."""

    def __init__(self, elapsed: float = 0.0) -> None:
        self._before = elapsed
        self._started: float | None = None

    def start(self) -> None:
        self._started = time.monotonic()

    def stop(self) -> None:
        self._before, self._started = self.seconds, None

    @property
    def seconds(self) -> float:
        return self._before + (time.monotonic() - self._started if self._started is not None else 0.0)


class TrainingLog:
    """Writes a console line and a point of every curve each log_interval updates.

    Args:
        directory: The folder for TensorBoard; None: console only.
        first_update: The update at which this session of the run starts.
        first_steps: The game steps played until then, of all games of all processes.
    """

    def __init__(
        self,
        settings: Settings,
        directory: Path | None,
        watch: Stopwatch,
        first_update: int = 0,
        first_steps: int = 0,
    ) -> None:
        self.settings, self.watch = settings, watch
        self._recent: deque[float] = deque(maxlen=11)  # training seconds at the last updates
        self._line_before = (first_update, first_steps, watch.seconds)
        self._writer = Curves(directory) if directory else None
        if self._writer and not first_update:
            arguments = sorted(settings_as_dict(settings).items())
            self._writer.add_text("run_config", "".join(f"**{key}:** {value}<br>" for key, value in arguments))
            self._writer.add_text("cmd", shlex.join(sys.argv))

    def update(
        self,
        update: int,
        steps: int,
        losses: Losses,
        last_returns: torch.Tensor,
        learn_rate: float,
        read_diagnostics: Callable[[], dict[str, float]],
    ) -> None:
        """Log an update. All processes call it.

        Args:
            last_returns: (n,), the return of each game's latest episode in this process, nan before its first.
            read_diagnostics: Returns tags and values; called only when a line is due, since it waits for a GPU.
        """
        self._recent.append(self.watch.seconds)
        interval = self.settings.log_interval
        if sys.stdout.isatty() and len(self._recent) > 1:
            rate = (len(self._recent) - 1) / (self._recent[-1] - self._recent[0])
            print(f"update {update % interval} @ {rate:.1f}ups", end="\r", flush=True)
        if update % interval == 0:
            returns = distributed.joined_up(last_returns).numpy()
            self._line(update, steps, losses, returns[~np.isnan(returns)], learn_rate, read_diagnostics())

    def evaluation(self, update: int, stats: AlignmentStats) -> None:
        """Log an evaluation: a console line and the eval curves."""
        print(
            f"Evaluation at update {update}: R_tue {stats.tracked_until_end_ratio:.2f}, R_on "
            f"{stats.global_tracking_ratio:.3f}, error {stats.alignment_errors_mean:.2f} +- "
            f"{stats.alignment_errors_std:.2f} px ({self.watch.seconds:.0f}s of training)",
            flush=True,
        )
        # The evaluation at the end of a session gets the x of the next regular one.
        self._scalars(
            {f"eval/{name}": value for name, value in asdict(stats).items()}, -(-update // self.settings.eval_interval)
        )

    def close(self) -> None:
        if self._writer:
            self._writer.close()

    def _line(
        self,
        update: int,
        steps: int,
        losses: Losses,
        returns: np.ndarray,
        learn_rate: float,
        diagnostics: dict[str, float],
    ) -> None:
        update_before, steps_before, then = self._line_before
        now = self.watch.seconds
        self._line_before = (update, steps, now)
        seconds = max(now - then, 1e-9)
        updates_per_second, steps_per_second = (update - update_before) / seconds, (steps - steps_before) / seconds
        mean = returns.mean() if len(returns) else None
        if self.settings.agent == "reinforce":
            print(
                f"\nepoch: {update:08d}, reward: {mean:.1f}, value loss {losses.value:.5f}, policy loss {losses.policy:.5f}",
                flush=True,
            )
        else:
            rewards = "-/-" if mean is None else f"{mean:.1f}/{np.median(returns):.1f}"  # no game has ended yet
            print(
                f"Updates {update} ({now - then:.1f}s),  mean/median reward {rewards}, "
                f"entropy {losses.entropy:.5f}, value loss {losses.value:.5f}, policy loss {losses.policy:.5f}, "
                f"{updates_per_second:.2f} updates/s, {steps_per_second:.0f} steps/s, "
                f"{steps} steps in {now:.0f}s",
                flush=True,
            )
        if line := console_line(diagnostics):
            print(line, flush=True)
        curves = {
            **diagnostics,
            "training/policy_loss": losses.policy,
            "training/value_loss": losses.value,
            "training/entropy": losses.entropy,
            "training/learn_rate": learn_rate,
            "training/steps": steps,
            "charts/steps_per_second": steps_per_second,
        }
        if mean is not None:
            curves["training/avg_reward"] = mean
        self._scalars(curves, update // self.settings.log_interval)

    def _scalars(self, values: dict[str, float], x: int) -> None:
        for tag, value in values.items():
            if self._writer and not math.isnan(value):  # nan: nothing to average, for instance no onset inspected
                self._writer.add_scalar(tag, value, x)
        if self._writer:
            self._writer.flush()


def add_to_curve(path: Path, update: int, steps: int, seconds: float, stats: AlignmentStats) -> None:
    """Add an evaluation to learning_curve.csv, for plots without TensorBoard. seconds: of training. Raises WriteError."""
    rows = io.StringIO()
    writer = csv.writer(rows)
    before = path.read_bytes() if path.exists() else b""
    if not before:
        writer.writerow(["update", "steps", "seconds", *STATISTICS])
    writer.writerow([update, steps, round(seconds, 1), *(getattr(stats, n) for n in STATISTICS)])
    with replacing(path, make_parents=False) as temporary:  # not appended, since a full disk would leave half a row
        temporary.write_bytes(before + rows.getvalue().encode())


def last_update(path: Path) -> int:
    """The update of the last evaluation in learning_curve.csv, -1 where there is none."""
    lines = path.read_bytes().splitlines() if path.exists() else []
    last = lines[-1].partition(b",")[0] if lines else b""
    return int(last) if last.isdigit() else -1
