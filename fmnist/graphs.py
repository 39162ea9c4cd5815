"""Steps as CUDA graphs: the host says one word, and the GPU makes several steps.

A step of a small network is about a hundred kernels of a few microseconds each: the host needs longer to launch them one by one than
the GPU to run them. What has to hold for a capture is in docs/decisions/0012-cuda-graphs.md.
"""

from collections import deque
from collections.abc import Callable
from functools import cache

import torch

from fmnist.train_state import TrainState

WARM_UP = 3  # steps before the capture: libraries choose their kernels and take their memory in them
UNROLLED = 8  # steps in the longer of the two graphs


class Graphs:
    """A step, captured once alone and once several times in a row; a call replays as many as it is asked for.

    The host is at most one call ahead of the GPU: far enough that it never waits, and near enough that a training can be stopped soon.

    Args:
        state: left as it was; from now on none of its tensors may move.
        rewind: puts what the step reads back to its beginning.
        step: works on static tensors alone.

    Raises:
        RuntimeError: the step cannot be captured, or there is not enough memory for it.
    """

    def __init__(self, state: TrainState, rewind: Callable[[], None], step: Callable[[], None]) -> None:
        before, position = {name: value.clone() for name, value in state.tensors().items()}, state.position()
        stream = _capturing()
        stream.wait_stream(torch.cuda.current_stream())
        try:
            with torch.cuda.stream(stream):
                for _ in range(WARM_UP):
                    rewind()
                    step()
                alone = _capture(step, 1, stream)
                self._graphs = {UNROLLED: _capture(step, UNROLLED, stream, alone), 1: alone}
        finally:
            torch.cuda.current_stream().wait_stream(stream)
            state.optimizer.zero_grad(set_to_none=True)
            state.load(before, position)
        self._marks: deque[torch.cuda.Event] = deque()

    def __call__(self, count: int) -> None:
        """Enqueue `count` steps, and wait for those of the call before."""
        for length, graph in self._graphs.items():
            for _ in range(count // length):
                graph.replay()
            count %= length
        mark = torch.cuda.Event()
        mark.record()
        self._marks.append(mark)
        if len(self._marks) > 1:
            self._marks.popleft().synchronize()


@cache
def _capturing() -> torch.cuda.Stream:
    """The stream that is captured: always the same, because libraries keep some memory for each that they have seen."""
    return torch.cuda.Stream()


def _capture(
    step: Callable[[], None], times: int, stream: torch.cuda.Stream, beside: torch.cuda.CUDAGraph | None = None
) -> torch.cuda.CUDAGraph:
    """A graph of a step; in the memory of another one, which never runs at the same time."""
    graph = torch.cuda.CUDAGraph()
    # thread_local: what another thread of the process allocates meanwhile does not break the capture
    with torch.cuda.graph(graph, pool=beside.pool() if beside else None, stream=stream, capture_error_mode="thread_local"):
        for _ in range(times):
            step()
    return graph
