"""The latency of following in real time, for latency.py and speed.py: measuring and printing."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from fresh_process import in_fresh_process
from speed_parts import make_network

from score_following_game.config import GameConfig, load_game_config

if TYPE_CHECKING:  # imported where they are used: the parent process does not need them
    import torch

    from score_following_game.environment.live import LiveScore

    Act = Callable[[LiveScore], float]  # chooses an action; returns when, in between, the observation was there

READING = "ReadingNet"  # it reads a sheet once, before the music, and observes nothing in a frame
# network, game config, frames to measure, target in milliseconds per frame
CASES = [
    ("ScoreFollowingNet", "nottingham.yaml", 6000, 10.0),
    ("ScoreFollowingNetMSMDLCHSDeepDoLight", "mutopia_lchs1.yaml", 6000, 25.0),
    (READING, "nottingham_reading.yaml", 6000, 10.0),
    (READING, "mutopia_lchs1.yaml", 6000, 10.0),
]
EVEN_SPEED = 1.5  # pixels per frame, about the speed of the music
STAGES = ("spectrogram", "observation", "network", "action")
WHOLE, PROCESSOR, DISTURBED = "whole", "whole, processor time", "disturbed"
WARM_UP = 100  # frames not counted: memory is allocated and oneDNN builds its kernels
FIGURES = ("median", "99.9 %", "worst", "over target")


def performances(data_set: str, config: GameConfig) -> Iterator[tuple[np.ndarray, float, np.ndarray]]:
    """Yields sheet, x of the first note (pixels) and samples of every piece.

    Sheets that are too low for the config are padded with paper.
    """
    from score_following_game.data_processing.dataset import load_data_set
    from score_following_game.data_processing.performance import performance_samples

    for piece in load_data_set(data_set, load_game_config("nottingham.yaml")):
        missing = max(0, config.staff_height - piece.sheet.shape[0])
        sheet = np.pad(piece.sheet, ((missing // 2, missing - missing // 2), (0, 0)), constant_values=255)
        yield sheet, float(piece.onset_x[0]), performance_samples(piece.midi_path, config)


def actor(net: str, config: GameConfig, precision: torch.dtype) -> Act:
    """A network with random parameters that acts; which action it chooses does not matter here."""
    import torch

    from score_following_game.agents.policy import CategoricalPolicy
    from score_following_game.agents.reading.agent import ReadingAgent
    from score_following_game.agents.reading.network import reading_network
    from score_following_game.environment.observation import observe

    if net == READING:
        agent = ReadingAgent(reading_network(net, config), torch.Generator().manual_seed(0), precision)

        def read(live: LiveScore) -> float:
            began = time.perf_counter()
            agent.perform_action(live.game)
            return began

        return read
    network = make_network(net, config).eval()

    def act(live: LiveScore) -> float:
        observation = observe(live.bank, live.game.position(), precision)
        observed = time.perf_counter()
        logits, _value = network(observation)
        CategoricalPolicy.from_logits(logits).mode()
        return observed

    return act


def follow(
    act: Act,
    config: GameConfig,
    pieces: list[tuple[np.ndarray, float, np.ndarray]],
    frames: int,
    paced: bool,
) -> np.ndarray:
    """Follow the pieces repeatedly for a number of frames.

    Returns float64 (frames, stages + 2): milliseconds of each stage, milliseconds of processor time, and how often another
    program took the core during the frame.
    """
    import torch

    from score_following_game.data_processing.streaming import StreamingSpectrogram
    from score_following_game.environment.live import LiveScore

    hop = config.spectrogram_params.sample_rate / config.spectrogram_params.fps

    def follow_one(sheet: np.ndarray, first_x: float, samples: np.ndarray) -> Iterator[list[float]]:
        stream = StreamingSpectrogram(config.spectrogram_params)
        live = LiveScore(sheet, first_x, config, minutes=1 + len(samples) / config.spectrogram_params.sample_rate / 60)
        act(live)  # the sheet is read before the music begins
        live.step(torch.zeros(1, dtype=torch.int64))  # the first action is chosen in silence
        began = time.perf_counter()
        for frame in range(int(len(samples) / hop)):
            block = samples[int(frame * hop) : int((frame + 1) * hop)]
            if paced:
                time.sleep(max(0.0, began + (frame + 1) / config.spectrogram_params.fps - time.perf_counter()))
            taken, worked, marks = times_taken(), time.process_time(), [time.perf_counter()]
            live.hear(stream.push(block))
            marks.append(time.perf_counter())
            marks.append(act(live))
            marks.append(time.perf_counter())
            live.step(torch.tensor([2 if live.game.speed < EVEN_SPEED else 0]))
            marks.append(time.perf_counter())
            yield [*(1000 * np.diff(marks)), 1000 * (time.process_time() - worked), times_taken() - taken]

    rows: list[list[float]] = []
    with torch.inference_mode():
        while len(rows) < frames:
            for piece in pieces:
                rows.extend(follow_one(*piece))
    return np.array(rows[:frames])


def times_taken() -> int:
    """Returns how often the system has given this process's core to another program."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw


def measure_here(task: dict[str, Any]) -> dict[str, list[float]]:
    """Measure one network in one precision, in this process, on one core.

    Returns the FIGURES of each stage (milliseconds, and the share of frames over the target). DISTURBED is the share of frames
    in which another program took the core.
    """
    if hasattr(os, "sched_setaffinity"):  # on other systems, one thread is the best approximation
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    import torch

    from score_following_game.machine import prepare_machine

    prepare_machine(4711, "cpu", 1)
    config, precision = load_game_config(task["config"]), getattr(torch, task["precision"])
    pieces = list(performances(task["data_set"], config))
    rows = follow(actor(task["net"], config, precision), config, pieces, task["frames"] + WARM_UP, task["paced"])[WARM_UP:]
    stages, processor, taken = rows[:, :-2], rows[:, -2], rows[:, -1]
    columns = dict(zip(STAGES, stages.T)) | {WHOLE: stages.sum(axis=1), PROCESSOR: processor}
    figures = {
        name: [np.median(ms), np.quantile(ms, 0.999), ms.max(), (ms >= task["target"]).mean()] for name, ms in columns.items()
    }
    figures[DISTURBED] = [(taken > 0).mean()]
    return {name: [float(value) for value in values] for name, values in figures.items()}


def measure(task: dict[str, Any]) -> dict[str, list[float]]:
    """As measure_here, in a process of its own."""
    return in_fresh_process("latency.py", task, task["net"])


def precisions() -> list[str]:
    """Returns float32, and bfloat16 if `--precision auto` would choose it."""
    import torch

    from score_following_game.agents.inference import choose_precision

    chosen = choose_precision("auto", torch.device("cpu"))
    return ["float32"] + ["bfloat16"] * (chosen == torch.bfloat16)


def tasks(data_set: str, frames: int | None = None, paced: bool = False) -> Iterator[dict[str, Any]]:
    """Yields a task for every case in every precision. frames: replaces the number of frames of each case."""
    for net, config, own_frames, target in CASES:
        for precision in precisions():
            yield {
                "net": net,
                "config": config,
                "frames": frames or own_frames,
                "target": target,
                "precision": precision,
                "data_set": data_set,
                "paced": paced,
            }


def print_table(task: dict[str, Any], figures: dict[str, list[float]]) -> None:
    print(
        f"\n{task['net']}, {task['config']}, {task['precision']}, {task['frames']} frames, one core"
        f"{', paced' if task['paced'] else ''}, ms"
    )
    print(("  {:24}" + "{:>13}" * len(FIGURES)).format("", *FIGURES))
    for name in (*STAGES, WHOLE, PROCESSOR):
        median, late, worst, over = figures[name]
        share = f"{100 * over:.3f} %" if name in (WHOLE, PROCESSOR) else ""
        print(f"  {name:24}{median:13.2f}{late:13.2f}{worst:13.2f}{share:>13}")
    met = {name: "met" if figures[name][1] < task["target"] else "missed" for name in (WHOLE, PROCESSOR)}
    print(
        f"  target, 99.9 % of frames below {task['target']:g} ms: {met[WHOLE]}; in processor time: {met[PROCESSOR]}; another "
        f"program took the core in {100 * figures[DISTURBED][0]:.1f} % of frames",
        flush=True,
    )
