"""The training loop: rollouts, updates, logs, evaluations, refinement, checkpoints."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from score_following_game.agents.inference import choose_precision
from score_following_game.agents.parameters import load_initial_parameters
from score_following_game.config import GameConfig, config_as_dict
from score_following_game.environment.starts import StartSampler
from score_following_game.errors import UserError
from score_following_game.evaluation.evaluator import play_data_set
from score_following_game.evaluation.metrics import AlignmentStats, alignment_stats, mean_stats
from score_following_game.interrupts import interruptible
from score_following_game.reinforcement_learning import advice
from score_following_game.reinforcement_learning.algorithms.losses import Diverged, Losses
from score_following_game.reinforcement_learning.algorithms.table import algorithm_for
from score_following_game.reinforcement_learning.best_model import save_if_best, save_until_evaluated
from score_following_game.reinforcement_learning.checkpoint import Progress, RunState, Stateful, parameter_digest
from score_following_game.reinforcement_learning.diagnostics import diagnostics
from score_following_game.reinforcement_learning.logger import Stopwatch, TrainingLog, add_to_curve, last_update
from score_following_game.reinforcement_learning.optimiser import make_optimiser
from score_following_game.reinforcement_learning.processes import distributed
from score_following_game.reinforcement_learning.processes.process_group import LostProcess
from score_following_game.reinforcement_learning.run_directory import save_parameters
from score_following_game.reinforcement_learning.schedule import RefinementSchedule, annealed
from score_following_game.reinforcement_learning.settings import Settings
from score_following_game.reinforcement_learning.training_data import load_pieces, make_renewal
from score_following_game.run_files import BEST_MODEL_FILE, CURVE_FILE


class Trainer:
    """One training run, built from its settings.

    All randomness comes from the seed: one generator each for starts, actions and evaluation, and torch's own for the initial
    parameters and dropout (seed it before). Each of several processes plays n_worker games; the first one logs, evaluates and
    writes.

    Args:
        directory: The run directory. It may be set later, but `train` needs it.
        resume: Continue from the checkpoint in the directory.

    Raises:
        UserError: The network, the game, the pieces or the checkpoint do not fit the settings.
    """

    def __init__(self, settings: Settings, config: GameConfig, directory: Path | None = None, resume: bool = False) -> None:
        self.settings, self.config, self.directory = settings, config, directory
        self.device = torch.device(settings.device)
        self.precision = choose_precision(settings.precision, self.device)
        algorithm, self.network = algorithm_for(settings, config)
        self.player = algorithm.player
        rules = self.player(self.network, torch.Generator(), self.precision).rules(config)
        self.pieces = load_pieces(settings, config, rules, self.device)
        self.train_bank, self.eval_bank = self.pieces.train, self.pieces.evaluation
        if settings.ini_params and not resume:
            load_initial_parameters(self.network, settings.ini_params)
        # torch's annotations lack memory_format without a dtype
        self.network.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.optimiser = make_optimiser(settings.optim, settings.optim_params, self.network.parameters())
        seeds = distributed.seeds(settings.seed, 5)
        sampler = StartSampler(
            self.train_bank, seeds[0], settings.random_start, settings.prioritized_sampling, settings.random_offset
        )
        self.renewal = make_renewal(settings, self.pieces, sampler, seeds[4])
        self.collector = algorithm.collector(
            self.train_bank,
            settings.n_worker,
            self.network,
            sampler,
            seeds[1],
            self.precision,
            keep=algorithm.keeps_passes and not settings.bptt,
        )
        self.learner = algorithm.learner(
            self.network, self.optimiser, self.train_bank, settings, self.precision, self.collector.generator
        )
        self.average = (
            None
            if settings.averaging is None
            else AveragedModel(self.network, multi_avg_fn=get_ema_multi_avg_fn(settings.averaging))
        )
        self.eval_generator = torch.Generator(self.device).manual_seed(seeds[2])
        distributed.seed_dropout(seeds[3])
        self.schedule = RefinementSchedule(settings.patience, settings.max_refinements, settings.lr_multiplier)
        self.updates = 0
        self.steps = 0  # of all games of all processes
        self.evaluated_at = -1
        self.saved_at = -1
        self.losses: Losses | None = None
        self.watch = Stopwatch()
        self.state = self._run_state()
        if resume:
            self._load_checkpoint()
        elif self.renewal is not None:
            self.renewal.begin()
        distributed.require_same(self._common_values)

    def train(self) -> None:
        """Train until max_updates, max_minutes, the last refinement or Ctrl-C; always leaves best_model.pt and a checkpoint.

        Raises:
            UserError: Training diverged, or another process was lost.
            ValueError: There is no run directory.
        """
        directory = self._run_directory
        log = TrainingLog(self.settings, self._log_directory(), self.watch, self.updates, self.steps)
        try:
            if not self.updates:
                self.save_checkpoint()  # for a run that is killed before an evaluation
                if self.settings.ini_params:
                    self._judge(self._evaluate(log))  # the score to beat
            with interruptible(announce=distributed.world_size() == 1) as interrupted:
                self._loop(log, interrupted)
                self.save_checkpoint()
                if any(distributed.any_of(interrupted())):
                    print(advice.after_interrupt(directory, self.updates), flush=True)
                    return
                # After the checkpoint: a run that resumes from it must continue as if it had never stopped here.
                if self.evaluated_at != self.updates:
                    self._evaluate(log)
            print(f"Done after update {self.updates}: {directory / BEST_MODEL_FILE}", flush=True)
        except LostProcess as error:
            raise LostProcess(advice.after_lost_process(error, directory, self.saved_at)) from None
        except Diverged as error:
            message = advice.after_divergence(error, directory, self.updates, self.saved_at, self.losses)
            raise UserError(message) from None
        finally:
            log.close()

    def _loop(self, log: TrainingLog, interrupted: Callable[[], bool]) -> None:
        settings = self.settings
        self.network.train()
        self.watch.start()
        checkpoint_seconds = self.watch.seconds
        # The clock of the first process counts for all; an interrupt in any process stops all.
        while not any(distributed.any_of(distributed.is_first() and self._is_done(), interrupted())):
            rollout = self.collector.collect(settings.t_max)
            self.losses = self.learner.update(rollout)
            self.updates += 1
            self.steps += round(distributed.mean([rollout.n_steps])[0] * distributed.world_size())
            self._anneal()
            if self.renewal is not None:
                self.renewal.after_update(self.collector.playing)
            if self.average is not None:
                self.average.update_parameters(self.network)
            learning_rate = self.optimiser.param_groups[0]["lr"]
            log.update(self.updates, self.steps, self.losses, self.collector.last_return, learning_rate, self._read_diagnostics)
            if self.updates % settings.dump_interval == 0:
                distributed.from_first(self._dump)
            if self.updates % settings.eval_interval == 0:
                self.watch.stop()
                self._judge(self._evaluate(log))
                self.save_checkpoint()
                self.watch.start()
            is_due = self.watch.seconds - checkpoint_seconds >= 60 * settings.checkpoint_minutes
            if any(distributed.any_of(distributed.is_first() and is_due)):
                self.save_checkpoint()
                checkpoint_seconds = self.watch.seconds
        self.watch.stop()

    @property
    def judged(self) -> nn.Module:
        """The network that is evaluated and saved: the trained one, or its moving average."""
        return self.network if self.average is None else self.average.module

    def _read_diagnostics(self) -> dict[str, float]:
        """Of all processes together, since the last reading. All processes call it."""
        outcomes = distributed.mean(self.collector.take_outcomes().tolist())
        return diagnostics(self.learner.meter.read(), outcomes, self.config.actions)

    def _anneal(self) -> None:
        """Called after an update. The learning rate is multiplied by a factor because a refinement may have changed it too."""
        steps, minutes = self.settings.anneal_steps, self.settings.anneal_minutes
        if steps is None and minutes is None:
            return
        by_steps = self.steps / steps if steps else 0.0
        by_time = distributed.from_first(lambda: self.watch.seconds) / (60 * minutes) if minutes else 0.0
        before, now = self.learner.progress, min(1.0, max(by_steps, by_time))
        self.learner.progress = now
        if self.settings.final_lr is None:
            return
        for group in self.optimiser.param_groups:
            first = self.settings.optim_params.get("lr", self.optimiser.defaults["lr"])
            group["lr"] *= annealed(first, self.settings.final_lr, now - before) / first

    def _is_done(self) -> bool:
        minutes = self.settings.max_minutes
        return (
            self.updates >= self.settings.max_updates
            or self.schedule.stopped
            or (minutes is not None and self.watch.seconds >= 60 * minutes)
        )

    def _dump(self) -> None:
        save_parameters(self.judged, self._run_directory / f"model_update_{self.updates}.pt")
        print(f"Saved model at update {self.updates}", flush=True)

    @property
    def _run_directory(self) -> Path:
        if self.directory is None:
            raise ValueError("this Trainer has no run directory; set its `directory` before it trains or saves")
        return self.directory

    def _evaluate(self, log: TrainingLog) -> AlignmentStats:
        """The first process plays the validation set and saves the parameters if they are the best so far."""
        self.evaluated_at = self.updates
        return distributed.from_first(lambda: self._play_validation_set(log))

    def _play_validation_set(self, log: TrainingLog) -> AlignmentStats:
        self._require_finite()
        agent = self.player(self.judged, self.eval_generator, self.precision)
        trials = play_data_set(agent, self.eval_bank, self.settings.eval_trials, progress=True)
        stats = mean_stats([alignment_stats(trial) for trial in trials])
        self.network.train()
        log.evaluation(self.updates, stats)
        save_if_best(self._run_directory, self.judged, self.updates, stats)
        # Last, since a row of the curve says that the evaluation is over.
        add_to_curve(self._run_directory / CURVE_FILE, self.updates, self.steps, self.watch.seconds, stats)
        return stats

    def _judge(self, stats: AlignmentStats) -> None:
        """Report a score to the schedule, which may return to the best parameters, refine the learning rate or stop."""
        self.schedule.step(stats.global_tracking_ratio, self.judged, self.optimiser, self.network)
        if self.schedule.stopped:
            print("Training stopped", flush=True)

    def _require_finite(self) -> None:
        """Raise Diverged instead of evaluating or saving unusable parameters. Draws no random numbers."""
        self.network.eval()
        finite = self.collector.is_finite()
        self.network.train()
        if not finite:
            raise Diverged("the network's output is not finite")

    def _log_directory(self) -> Path | None:
        has_log = distributed.is_first() and not self.settings.no_log
        return Path(self.settings.log_root) / self._run_directory.absolute().name if has_log else None

    def save_checkpoint(self) -> None:
        """Write the state that --resume needs to continue as if the run had not stopped. All processes call it.

        Raises:
            Diverged: The network's output is not finite.
            ValueError: There is no run directory.
        """
        processes = self.state.of_processes()
        distributed.from_first(lambda: self._write_checkpoint(processes))
        self.saved_at = self.updates

    def _write_checkpoint(self, processes: list[Mapping[str, Any]]) -> None:
        self._require_finite()
        progress = Progress(self.updates, self.steps, self.evaluated_at, self.watch.seconds)
        self.state.write(self._run_directory, progress, processes)
        save_until_evaluated(self._run_directory, self.judged)

    def _run_state(self) -> RunState:
        common: dict[str, Stateful] = {"network": self.network, "optimiser": self.optimiser, "schedule": self.schedule}
        if self.average is not None:
            common["average"] = self.average
        own: dict[str, Stateful] = {"collector": self.collector, "learner": self.learner}
        if self.renewal is not None:
            own["renewal"] = self.renewal
        sets = {"train_set": [*self.pieces.first, *self.pieces.waiting], "eval_set": self.eval_bank.pieces}
        return RunState(self.settings, self.device, sets, common, own, self.eval_generator)

    def _common_values(self) -> dict[str, Any]:
        """Values that must be the same in all processes."""
        pieces = {f"{folder} {name}": digest for folder, each in self.state.pieces.items() for name, digest in each.items()}
        return {**pieces, **config_as_dict(self.config), "first parameters": parameter_digest(self.learner.modules)}

    def _load_checkpoint(self) -> None:
        """Continue from the run directory's checkpoint. Raises UserError if that is impossible or the run is over.

        A run that was stopped in its last evaluation makes it up.
        """
        progress = self.state.load(self._run_directory)
        self.updates = self.saved_at = progress.updates
        self.steps, self.evaluated_at = progress.steps, progress.evaluated_at
        self.watch = Stopwatch(progress.seconds)
        if self._is_done() and self.updates in (self.evaluated_at, last_update(self._run_directory / CURVE_FILE)):
            raise UserError(advice.after_the_end(self._run_directory, self.updates, self.schedule.stopped))
