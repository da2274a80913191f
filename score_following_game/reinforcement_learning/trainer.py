"""The training loop: rollouts, updates, logs, evaluations, refinement, checkpoints."""
from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from score_following_game.agents.agents import TrainedAgent
from score_following_game.agents.inference import act, choose_precision
from score_following_game.agents.networks import load_parameters, network_for
from score_following_game.config import GameConfig, read_yaml
from score_following_game.data_processing.dataset import load_data_set
from score_following_game.environment.score_bank import ScoreBank
from score_following_game.environment.starts import StartSampler
from score_following_game.errors import UserError
from score_following_game.evaluation.evaluator import play_data_set
from score_following_game.evaluation.learning_curve import CURVE_FILE
from score_following_game.evaluation.metrics import STATISTICS, AlignmentStats, alignment_stats, mean_stats
from score_following_game.reinforcement_learning import a2c, ppo
from score_following_game.reinforcement_learning.interrupts import interruptible
from score_following_game.reinforcement_learning.logger import Stopwatch, TrainingLog
from score_following_game.reinforcement_learning.losses import Diverged, Losses
from score_following_game.reinforcement_learning.rollout import RolloutCollector, get_random_state, set_random_state
from score_following_game.reinforcement_learning.run_directory import (
    BEST_MODEL_FILE,
    BEST_SCORE_FILE,
    CHECKPOINT_FILE,
    SETTINGS_FILE,
    save,
    save_parameters,
    write_yaml,
)
from score_following_game.reinforcement_learning.schedule import RefinementSchedule
from score_following_game.reinforcement_learning.settings import Settings, make_optimiser, require_same, settings_as_dict

CHECKPOINT_VERSION = 3
ALGORITHMS = {"a2c": a2c.update, "ppo": ppo.update}


class Trainer:
    """One run: everything it needs, built from its settings; `directory` is its run directory. `resume` goes on from the
    checkpoint there.

    All randomness comes from the seed: one generator each for starts, actions and evaluation, torch's own for the first
    parameters and dropout (seed it before).
    """

    def __init__(self, settings: Settings, config: GameConfig, directory: Path, resume: bool = False) -> None:
        self.settings, self.config, self.directory = settings, config, directory
        self.device = torch.device(settings.device)
        self.precision = choose_precision(settings.precision, self.device)
        sound_font = Path(settings.sound_font) if settings.sound_font else None
        self.train_bank = ScoreBank(load_data_set(settings.train_set, config, sound_font=sound_font), config, self.device)
        self.eval_bank = ScoreBank(load_data_set(settings.eval_set, config, sound_font=sound_font), config, self.device)
        self.network = network_for(settings.net, config)
        if settings.ini_params and not resume:
            load_parameters(self.network, settings.ini_params)
        self.network.to(self.device, memory_format=torch.channels_last)
        self.optimiser = make_optimiser(settings, self.network.parameters())
        seeds = np.random.SeedSequence(settings.seed).generate_state(3).tolist()
        sampler = StartSampler(self.train_bank, seeds[0], settings.random_start, settings.prioritized_sampling)
        self.collector = RolloutCollector(self.train_bank, settings.n_worker, self.network, sampler, seeds[1], self.precision)
        self.eval_generator = torch.Generator(self.device).manual_seed(seeds[2])
        self.schedule = RefinementSchedule(settings.patience, settings.max_refinements, settings.lr_multiplier)
        self.updates = 0
        self.evaluated_at = -1
        self.saved_at = -1
        self.losses: Losses | None = None
        self.watch = Stopwatch()
        if resume:
            self._load_checkpoint()

    def train(self) -> None:
        """Train until max_updates, max_minutes, the last refinement or Ctrl-C; always leaves best_model.pt and a checkpoint."""
        log = TrainingLog(self.settings, self._log_directory(), self.settings.n_worker * self.settings.t_max, self.watch,
                          self.updates)
        try:
            if not self.updates:
                self.save_checkpoint()
                save_parameters(self.network, self.directory / BEST_MODEL_FILE)  # of a run that is killed before an evaluation
            with interruptible() as interrupted:
                self._loop(log, interrupted)
                self.save_checkpoint()
                if not (self.directory / BEST_SCORE_FILE).exists():
                    save_parameters(self.network, self.directory / BEST_MODEL_FILE)  # until an evaluation says more
                if interrupted():
                    self._tell_how_to_go_on()
                    return
                # After the checkpoint: a run that goes on from it is to be as if it had never stopped here.
                if self.evaluated_at != self.updates:
                    self._keep_if_best(self._evaluate(log))
            print(f"Done after update {self.updates}: {self.directory / BEST_MODEL_FILE}", flush=True)
        except Diverged as error:
            seen = f" (the update before: {self.losses})" if self.losses else ""
            kept = (f"; the parameters of update {self.saved_at} are kept: --ini_params {self.directory / CHECKPOINT_FILE} "
                    "begins a new run with them" if self.saved_at >= 0 else "")
            raise UserError(f"training diverged after update {self.updates}: {error}{seen}{kept}; try a smaller lr in "
                            "--optim_params or --max_grad_norm 0.5") from None
        finally:
            log.close()

    def _loop(self, log: TrainingLog, interrupted: Callable[[], bool]) -> None:
        settings = self.settings
        update = ALGORITHMS[settings.agent]
        self.network.train()
        self.watch.start()
        checkpoint_seconds = self.watch.seconds
        while not self._is_done() and not interrupted():
            rollout = self.collector.collect(settings.t_max)
            self.losses = update(rollout, self.network, self.optimiser, self.train_bank, settings, self.precision,
                                 self.collector.generator)
            self.updates += 1
            log.update(self.updates, self.losses, self.collector.last_return.cpu().numpy(),
                       self.optimiser.param_groups[0]["lr"])
            if self.updates % settings.dump_interval == 0:
                save_parameters(self.network, self.directory / f"model_update_{self.updates}.pt")
                print(f"Saved model at update {self.updates}", flush=True)
            if self.updates % settings.eval_interval == 0:
                self.watch.stop()
                self._judge(self._evaluate(log))
                self.save_checkpoint()
                self.watch.start()
            if self.watch.seconds - checkpoint_seconds >= 60 * settings.checkpoint_minutes:
                self.save_checkpoint()
                checkpoint_seconds = self.watch.seconds
        self.watch.stop()

    def _is_done(self) -> bool:
        minutes = self.settings.max_minutes
        return (self.updates >= self.settings.max_updates or self.schedule.stopped
                or (minutes is not None and self.watch.seconds >= 60 * minutes))

    def _tell_how_to_go_on(self) -> None:
        print(f"\nStopped after update {self.updates}; go on with: --resume {self.directory}", flush=True)
        if not (self.directory / BEST_SCORE_FILE).exists():
            print(f"No evaluation yet: {BEST_MODEL_FILE} holds the parameters of update {self.updates}", flush=True)

    def _evaluate(self, log: TrainingLog) -> AlignmentStats:
        """Play the validation set."""
        self._require_finite()
        agent = TrainedAgent(self.network, self.eval_generator, precision=self.precision)
        stats = mean_stats([alignment_stats(trial) for trial in
                            play_data_set(agent, self.eval_bank, self.settings.eval_trials, progress=True)])
        self.network.train()
        self.evaluated_at = self.updates
        log.evaluation(self.updates, stats)
        self._add_to_curve(stats)
        return stats

    def _judge(self, stats: AlignmentStats) -> None:
        """Keep the best parameters; then the schedule may go back to them, and refine or stop."""
        self._keep_if_best(stats)
        self.schedule.step(stats.global_tracking_ratio, self.network, self.optimiser)
        if self.schedule.stopped:
            print("Training stopped", flush=True)

    def _keep_if_best(self, stats: AlignmentStats) -> None:
        """Write best_model.pt where no evaluation of any sitting was better, also of those that only ended one."""
        if stats.global_tracking_ratio > self._saved_score():
            print(f"New best model at update {self.updates}", flush=True)
            save_parameters(self.network, self.directory / BEST_MODEL_FILE)
            write_yaml(self.directory / BEST_SCORE_FILE, {"update": self.updates, **asdict(stats)})

    def _saved_score(self) -> float:
        path = self.directory / BEST_SCORE_FILE
        score = read_yaml(path).get("global_tracking_ratio") if path.exists() else float("-inf")
        if not isinstance(score, (int, float)):
            raise UserError(f"{path}: global_tracking_ratio is {score!r}, wanted a number; remove the file to begin anew")
        return score

    def _require_finite(self) -> None:
        """Raise Diverged rather than evaluate or keep parameters that are of no use, without drawing a random number."""
        self.network.eval()
        logits, values = act(self.network, self.train_bank, self.collector.game.position(), self.precision)
        self.network.train()
        if not (logits.isfinite().all() and values.isfinite().all()):
            raise Diverged("the network's output is not finite")

    def _add_to_curve(self, stats: AlignmentStats) -> None:
        """A row of learning_curve.csv per evaluation, for plots without TensorBoard."""
        path = self.directory / CURVE_FILE
        is_new = not path.exists()
        with path.open("a", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream)
            if is_new:
                writer.writerow(["update", "steps", "seconds", *STATISTICS])
            steps = self.updates * self.settings.n_worker * self.settings.t_max
            writer.writerow([self.updates, steps, round(self.watch.seconds, 1), *(getattr(stats, n) for n in STATISTICS)])

    def _log_directory(self) -> Path | None:
        return None if self.settings.no_log else Path(self.settings.log_root) / self.directory.name

    def save_checkpoint(self) -> None:
        """All that --resume needs to go on as if nothing had happened. Raises Diverged when the network has."""
        self._require_finite()
        save(self.directory / CHECKPOINT_FILE, {
            "version": CHECKPOINT_VERSION, "updates": self.updates, "evaluated_at": self.evaluated_at,
            "seconds": self.watch.seconds, "settings": settings_as_dict(self.settings),
            "pieces": self._pieces, "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(), "schedule": self.schedule.state_dict(),
            "collector": self.collector.state_dict(), "eval_generator": self.eval_generator.get_state(),
            "random_state": get_random_state(self.device),
        })
        self.saved_at = self.updates

    @cached_property
    def _pieces(self) -> dict[str, dict[str, int]]:
        """Which pieces the run is on; hashing them takes a while, and a run does not change them."""
        return {"train_set": self.train_bank.digests(), "eval_set": self.eval_bank.digests()}

    def _load_checkpoint(self) -> None:
        """Go on from the run directory's checkpoint. Raises UserError when it is unreadable or the pieces have changed."""
        path = self.directory / CHECKPOINT_FILE
        try:
            state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:  # a missing or broken file, whichever way torch says it
            raise UserError(f"{path}: cannot resume from it ({type(error).__name__})") from None
        if not isinstance(state, dict) or state.get("version") != CHECKPOINT_VERSION:
            raise UserError(f"{path}: is no checkpoint of this version; begin a new run with --ini_params")
        require_same(self.settings, state["settings"], str(self.directory / SETTINGS_FILE))
        for folder, pieces in self._pieces.items():
            if changed := sorted(set(pieces.items()) ^ set(state["pieces"][folder].items())):
                raise UserError(f"{path}: was made with other pieces than {getattr(self.settings, folder)} holds now (the "
                                f"first that differs: {changed[0][0]}); begin a new run with --ini_params")
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.schedule.load_state_dict(state["schedule"])
        self.collector.load_state_dict(state["collector"])
        self.eval_generator.set_state(state["eval_generator"])
        set_random_state(self.device, state["random_state"])
        self.updates = self.saved_at = state["updates"]
        self.evaluated_at = state["evaluated_at"]
        self.watch = Stopwatch(state["seconds"])
        if self._is_done():
            advice = (f"its refinements are used up; begin a new run with --ini_params {self.directory / BEST_MODEL_FILE}"
                      if self.schedule.stopped else "give a larger --max_updates or --max_minutes to go on")
            raise UserError(f"{self.directory}: this run is done after update {self.updates}; {advice}")
