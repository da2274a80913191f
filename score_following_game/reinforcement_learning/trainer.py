"""The training loop: rollouts, updates, logs, evaluations, refinement, checkpoints."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from score_following_game.agents.inference import act, choose_precision
from score_following_game.agents.networks import load_parameters
from score_following_game.config import GameConfig, config_as_dict
from score_following_game.environment.starts import StartSampler
from score_following_game.errors import UserError
from score_following_game.evaluation.evaluator import play_data_set
from score_following_game.evaluation.metrics import AlignmentStats, alignment_stats, mean_stats
from score_following_game.reinforcement_learning.algorithms.losses import Diverged, Losses
from score_following_game.reinforcement_learning.algorithms.table import algorithm_for
from score_following_game.reinforcement_learning.checkpoint import CHECKPOINT_VERSION, keep_if_best, read_checkpoint
from score_following_game.reinforcement_learning.interrupts import interruptible
from score_following_game.reinforcement_learning.logger import Stopwatch, TrainingLog, add_to_curve
from score_following_game.reinforcement_learning.optimiser import make_optimiser
from score_following_game.reinforcement_learning.processes import distributed
from score_following_game.reinforcement_learning.processes.process_group import LostProcess
from score_following_game.reinforcement_learning.rollouts.rollout import get_random_state, set_random_state
from score_following_game.reinforcement_learning.run_directory import save, save_parameters
from score_following_game.reinforcement_learning.schedule import RefinementSchedule, annealed
from score_following_game.reinforcement_learning.settings import Settings, settings_as_dict
from score_following_game.reinforcement_learning.training_data import load_banks
from score_following_game.run_files import BEST_MODEL_FILE, BEST_SCORE_FILE, CHECKPOINT_FILE, CURVE_FILE


class Trainer:
    """One run: everything it needs, built from its settings; `directory` is its run directory. `resume` goes on from the
    checkpoint there.

    All randomness comes from the seed: one generator each for starts, actions and evaluation, torch's own for the first
    parameters and dropout (seed it before). Of several processes each plays n_worker games; the first one logs, evaluates and
    writes.
    """

    def __init__(self, settings: Settings, config: GameConfig, directory: Path | None = None, resume: bool = False) -> None:
        self.settings, self.config, self.directory = settings, config, directory
        self.device = torch.device(settings.device)
        self.precision = choose_precision(settings.precision, self.device)
        algorithm, self.network = algorithm_for(settings, config)
        self.player = algorithm.player
        rules = self.player(self.network, torch.Generator(), self.precision).rules(config)
        self.train_bank, self.eval_bank = load_banks(settings, config, rules, self.device)
        if settings.ini_params and not resume:
            load_parameters(self.network, settings.ini_params)
        self.network.to(self.device, memory_format=torch.channels_last)
        self.optimiser = make_optimiser(settings.optim, settings.optim_params, self.network.parameters())
        seeds = distributed.seeds(settings.seed, 4)
        sampler = StartSampler(
            self.train_bank, seeds[0], settings.random_start, settings.prioritized_sampling, settings.random_offset
        )
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
        if resume:
            self._load_checkpoint()
        distributed.require_same(self._common)

    def train(self) -> None:
        """Train until max_updates, max_minutes, the last refinement or Ctrl-C; always leaves best_model.pt and a checkpoint."""
        log = TrainingLog(self.settings, self._log_directory(), self.watch, self.updates, self.steps)
        try:
            if not self.updates:
                self.save_checkpoint()  # for a run that is killed before an evaluation
                if self.settings.ini_params:
                    self._judge(self._evaluate(log))  # what is to be beaten
            with interruptible(tell=distributed.world_size() == 1) as interrupted:
                self._loop(log, interrupted)
                self.save_checkpoint()
                if any(distributed.any_of(interrupted())):
                    self._tell_how_to_go_on()
                    return
                # After the checkpoint: a run that goes on from it is to be as if it had never stopped here.
                if self.evaluated_at != self.updates:
                    self._evaluate(log)
            print(f"Done after update {self.updates}: {self.directory / BEST_MODEL_FILE}", flush=True)
        except LostProcess as error:
            raise LostProcess(
                f"{error}; go on from update {self.saved_at} with: {self._command}" if self.saved_at >= 0 else str(error)
            ) from None
        except Diverged as error:
            seen = f" (the update before: {self.losses})" if self.losses else ""
            kept = (
                f"; the parameters of update {self.saved_at} are kept: --ini_params {self.directory / CHECKPOINT_FILE} "
                "begins a new run with them"
                if self.saved_at >= 0
                else ""
            )
            raise UserError(
                f"training diverged after update {self.updates}: {error}{seen}{kept}; try a smaller lr in "
                "--optim_params or --max_grad_norm 0.5"
            ) from None
        finally:
            log.close()

    def _loop(self, log: TrainingLog, interrupted: Callable[[], bool]) -> None:
        settings = self.settings
        self.network.train()
        self.watch.start()
        checkpoint_seconds = self.watch.seconds
        # The first process's clock counts for all; an interrupted one stops all.
        while not any(distributed.any_of(distributed.is_first() and self._is_done(), interrupted())):
            rollout = self.collector.collect(settings.t_max)
            self.losses = self.learner.update(rollout)
            self.updates += 1
            self.steps += round(distributed.mean([len(rollout.states.speed)])[0] * distributed.world_size())
            self._anneal()
            if self.average is not None:
                self.average.update_parameters(self.network)
            log.update(self.updates, self.steps, self.losses, self.collector.last_return, self.optimiser.param_groups[0]["lr"])
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
        """The network that is evaluated and kept: the one that is trained, or its moving average."""
        return self.network if self.average is None else self.average.module

    def _anneal(self) -> None:
        """After an update. The learning rate is changed by a factor, since a refinement may have changed it, too."""
        if self.settings.anneal_steps is None:
            return
        before, now = self.learner.progress, min(1.0, self.steps / self.settings.anneal_steps)
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
        save_parameters(self.judged, self.directory / f"model_update_{self.updates}.pt")
        print(f"Saved model at update {self.updates}", flush=True)

    @property
    def _command(self) -> str:
        return distributed.command(f"--resume {self.directory}")

    def _tell_how_to_go_on(self) -> None:
        print(f"\nStopped after update {self.updates}; go on with: {self._command}", flush=True)
        if not (self.directory / BEST_SCORE_FILE).exists():
            print(f"No evaluation yet: {BEST_MODEL_FILE} holds the parameters of update {self.updates}", flush=True)

    def _evaluate(self, log: TrainingLog) -> AlignmentStats:
        """Have the first process play the validation set and keep the best parameters."""
        self.evaluated_at = self.updates
        return distributed.from_first(lambda: self._play_validation_set(log))

    def _play_validation_set(self, log: TrainingLog) -> AlignmentStats:
        self._require_finite()
        agent = self.player(self.judged, self.eval_generator, self.precision)
        stats = mean_stats(
            [alignment_stats(trial) for trial in play_data_set(agent, self.eval_bank, self.settings.eval_trials, progress=True)]
        )
        self.network.train()
        log.evaluation(self.updates, stats)
        add_to_curve(self.directory / CURVE_FILE, self.updates, self.steps, self.watch.seconds, stats)
        keep_if_best(self.directory, self.judged, self.updates, stats)
        return stats

    def _judge(self, stats: AlignmentStats) -> None:
        """The schedule may go back to the best parameters, and refine or stop."""
        self.schedule.step(stats.global_tracking_ratio, self.judged, self.optimiser, self.network)
        if self.schedule.stopped:
            print("Training stopped", flush=True)

    def _require_finite(self) -> None:
        """Raise Diverged rather than evaluate or keep parameters that are of no use, without drawing a random number."""
        self.network.eval()
        judged = act(self.network, self.train_bank, self.collector.game.position(), self.precision, self.collector.lstm_state)
        self.network.train()
        if not (judged.output.isfinite().all() and judged.value.isfinite().all()):
            raise Diverged("the network's output is not finite")

    def _log_directory(self) -> Path | None:
        has_log = distributed.is_first() and not self.settings.no_log
        return Path(self.settings.log_root) / self.directory.name if has_log else None

    def save_checkpoint(self) -> None:
        """All that --resume needs to go on as if nothing had happened. Raises Diverged when the network has."""
        processes = distributed.gather(
            {
                **{name: part.state_dict() for name, part in self._own_parts.items()},
                "random_state": get_random_state(self.device),
            }
        )
        distributed.from_first(lambda: self._write_checkpoint(processes))
        self.saved_at = self.updates

    def _write_checkpoint(self, processes: list[Mapping[str, Any]]) -> None:
        """processes: what each process has of its own, by rank."""
        self._require_finite()
        save(
            self.directory / CHECKPOINT_FILE,
            {
                "version": CHECKPOINT_VERSION,
                "updates": self.updates,
                "steps": self.steps,
                "evaluated_at": self.evaluated_at,
                "seconds": self.watch.seconds,
                "settings": settings_as_dict(self.settings),
                "pieces": self._pieces,
                **{name: part.state_dict() for name, part in self._common_parts.items()},
                "processes": processes,
                "eval_generator": self.eval_generator.get_state(),
            },
        )
        if not (self.directory / BEST_SCORE_FILE).exists():
            save_parameters(self.judged, self.directory / BEST_MODEL_FILE)  # until an evaluation says more

    @property
    def _common_parts(self) -> dict[str, Any]:
        """What has a state that is the same in all processes."""
        parts = {"network": self.network, "optimiser": self.optimiser, "schedule": self.schedule}
        return parts if self.average is None else {**parts, "average": self.average}

    @property
    def _own_parts(self) -> dict[str, Any]:
        """What has a state of its own in every process."""
        return {"collector": self.collector, "learner": self.learner}

    @cached_property
    def _pieces(self) -> dict[str, dict[str, int]]:
        """Which pieces the run is on; hashing them takes a while, and a run does not change them."""
        return {"train_set": self.train_bank.digests(), "eval_set": self.eval_bank.digests()}

    def _common(self) -> dict[str, Any]:
        """What must be the same in all processes."""
        parameters = hashlib.sha256()
        for value in (value for module in self.learner.modules for value in module.state_dict().values()):
            parameters.update(value.cpu().contiguous().numpy().tobytes())
        pieces = {f"{folder} {name}": digest for folder, digests in self._pieces.items() for name, digest in digests.items()}
        return {**pieces, **config_as_dict(self.config), "first parameters": parameters.hexdigest()[:12]}

    def _load_checkpoint(self) -> None:
        """Go on from the run directory's checkpoint, read by the first process. Raises UserError as read_checkpoint does."""
        state = distributed.from_first(lambda: read_checkpoint(self.directory, self.settings, self._pieces))
        own = state["processes"][distributed.rank()]
        for parts, kept in ((self._common_parts, state), (self._own_parts, own)):
            for name, part in parts.items():
                part.load_state_dict(kept[name])
        self.eval_generator.set_state(state["eval_generator"])
        set_random_state(self.device, own["random_state"])
        self.updates = self.saved_at = state["updates"]
        self.steps, self.evaluated_at = state["steps"], state["evaluated_at"]
        self.watch = Stopwatch(state["seconds"])
        if self._is_done():
            advice = (
                f"its refinements are used up; begin a new run with --ini_params {self.directory / BEST_MODEL_FILE}"
                if self.schedule.stopped
                else "give a larger --max_updates or --max_minutes to go on"
            )
            raise UserError(f"{self.directory}: this run is done after update {self.updates}; {advice}")
