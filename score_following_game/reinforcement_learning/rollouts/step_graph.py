"""A step of many games as a CUDA graph: the host launches hundreds of kernels by one call.

Launched one by one, they would take longer to launch than to run. The random numbers are those of the plain step.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from score_following_game.agents.layers import unchanged_parameters

WARM_UP = 3  # steps before a capture, in which libraries choose kernels and allocate memory

Attributes = Sequence[tuple[Any, str]]  # (object, name of its attribute)


class StaticStep:
    """A step whose state is in the same tensors before and after it, so that its kernels can be recorded and replayed.

    step: returns a named tuple of tensors and replaces its state, the named attributes, by new tensors.
    """

    def __init__(self, step: Callable[[], Any], state: Attributes) -> None:
        self._step, self._state = step, state
        self._tensors = [getattr(holder, name).clone() for holder, name in state]

    def take_state(self) -> None:
        """Copy the attributes' values into the static tensors, which become the attributes."""
        for (holder, name), static in zip(self._state, self._tensors):
            value: Tensor = getattr(holder, name)
            if value is not static:
                static.copy_(value)
                setattr(holder, name, static)

    def run(self) -> Any:
        """Returns the step's result. Parameters are converted again, because they change between runs."""
        self.take_state()
        with unchanged_parameters():
            result = self._step()
        self.take_state()
        return result


class StepGraph:
    """A captured step. Calling it replays the step and returns a copy of the result.

    The graph uses generators of its own, set to the states of the given ones, so that those stay usable if a capture fails.

    Args:
        step, state: As in StaticStep.
        generators: The attributes that hold the generators the step draws from.

    Raises:
        RuntimeError: The capture failed; the attributes are unchanged.
    """

    def __init__(self, step: Callable[[], Any], state: Attributes, generators: Attributes, device: torch.device) -> None:
        self._static = StaticStep(step, state)
        self._generators = [(getattr(holder, name), torch.Generator(device)) for holder, name in generators]
        attributes = [*state, *generators]
        before = [getattr(holder, name) for holder, name in attributes]
        for (holder, name), (_theirs, own) in zip(generators, self._generators):
            setattr(holder, name, own)
        try:
            with torch.cuda.device(device):
                self._graph, self._result = self._capture()
        finally:
            for (holder, name), value in zip(attributes, before):
                setattr(holder, name, value)

    def _capture(self) -> tuple[torch.cuda.CUDAGraph, Any]:
        stream, graph = torch.cuda.Stream(), torch.cuda.CUDAGraph()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(WARM_UP):
                self._static.run()
        torch.cuda.current_stream().wait_stream(stream)
        for _theirs, own in self._generators:
            graph.register_generator_state(own)
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):  # NCCL's thread keeps running
            result = self._static.run()
        return graph, result

    def __call__(self) -> Any:
        self._static.take_state()
        for theirs, own in self._generators:
            own.set_state(theirs.get_state())
        self._graph.replay()
        for theirs, own in self._generators:
            theirs.set_state(own.get_state())
        return self._result._make(map(torch.clone, self._result))


def captured(
    step: Callable[[], Any],
    state: Attributes,
    generators: Attributes,
    device: torch.device,
) -> StepGraph | None:
    """The step's graph, or None, with a line on stderr, if it cannot be captured."""
    try:
        return StepGraph(step, state, generators, device)
    except RuntimeError as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        print(f"warning: no CUDA graph of the game steps, which makes them slower: {reason}", file=sys.stderr, flush=True)
        return None
