"""A function in a process of its own, so that a hang or a crash ends the call and not the caller."""

from __future__ import annotations

import multiprocessing as mp
import warnings
import weakref
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class _Strided(NamedTuple):
    """An array as it lies in memory: pickled alone it would become contiguous."""

    memory: NDArray[Any]
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    @classmethod
    def of(cls, x: NDArray[Any]) -> _Strided:
        """The memory behind x, and where x lies in it."""
        owner = x
        while isinstance(owner.base, np.ndarray):
            owner = owner.base
        offset = x.__array_interface__["data"][0] - owner.__array_interface__["data"][0]
        return cls(np.ravel(owner, order="K"), offset, x.shape, x.strides)

    def array(self) -> NDArray[Any]:
        """The array itself again."""
        return np.ndarray(self.shape, self.memory.dtype, self.memory, self.offset, self.strides)


class Isolated:
    """Calls ``function`` in a forked process and waits at most ``timeout`` seconds for each answer.

    A process that hangs is killed and a new one started for the next call; so is one that died.
    Raises TimeoutError and ChildProcessError for these, and RuntimeError with the text of whatever
    else the function raised. Where a system cannot fork, the function must be picklable.
    """

    def __init__(self, function: Callable[..., Any], timeout: float) -> None:
        self.function, self.timeout = function, timeout
        self._process: Any = None
        self._pipe: Connection | None = None

    def __call__(self, *arguments: Any) -> Any:
        """The function's answer, from the other process."""
        if self._process is None or not self._process.is_alive():
            self._start()
        assert self._pipe is not None
        self._pipe.send([_Strided.of(a) if isinstance(a, np.ndarray) else a for a in arguments])
        if not self._pipe.poll(self.timeout):
            self._stop()
            raise TimeoutError(f"hangs: no answer within {self.timeout} s")
        try:
            raised, answer = self._pipe.recv()
        except EOFError:
            self._process.join(1)
            code = self._process.exitcode
            self._stop()
            raise ChildProcessError(f"ends its process with exit code {code}") from None
        if raised:
            raise RuntimeError(answer)
        return answer

    def _start(self) -> None:
        method = "fork" if "fork" in mp.get_all_start_methods() else "spawn"
        context: Any = mp.get_context(method)
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, self.function), daemon=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of forking beside threads: the child runs nothing but the function
            self._process.start()
        theirs.close()
        weakref.finalize(self, _end, self._process)

    def _stop(self) -> None:
        _end(self._process)
        self._process = None


def _end(process: Any) -> None:
    if process.is_alive():
        process.kill()
    process.join(5)


def _serve(pipe: Connection, function: Callable[..., Any]) -> None:
    """Answer calls until the other end is closed."""
    while True:
        try:
            arguments = pipe.recv()
        except EOFError:
            return
        try:
            answer = (False, function(*(a.array() if isinstance(a, _Strided) else a for a in arguments)))
        except BaseException as error:  # sent back as text: the exception itself may not be picklable
            answer = (True, f"{type(error).__name__}: {error}")
        pipe.send(answer)
