"""The caster under test: called with care, so that whatever it does becomes a finding and not a crash."""

from __future__ import annotations

import inspect
import subprocess
import threading
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fmtemu.formats import Format, as_format
from fmtemu.testing.isolate import Isolated

Array = NDArray[Any]

RETURNS = ("values", "codes")


class CasterError(Exception):
    """The caster did not return an array of results; says what it did instead. ``law`` is the law it broke."""

    def __init__(self, law: str, message: str) -> None:
        super().__init__(message)
        self.law = law


@dataclass
class Subject:
    """A caster of one format: ``results`` gives what it makes of an array, as float64 of the same shape.

    ``function`` takes an array, and a seed too if ``seeded``. It ``returns`` values (of the source's
    dtype, or of the format's own dtype) or raw codes (integers). ``writes`` says what it did to its
    input, if anything.
    """

    function: Callable[..., tuple[Array, str]]
    format: Format
    returns: str = "values"
    seeded: bool = False
    writes: str = ""
    _values: dict[tuple[int, int], float] = field(default_factory=dict)

    @property
    def is_isolated(self) -> bool:
        """Whether calls run in another process."""
        return not isinstance(self.function, _Watched)

    def results(self, x: Array, seed: int = 0) -> Array:
        """What the caster makes of x, in float64; raises CasterError for what is no result."""
        given = x if x.flags.writeable else x.copy()
        given_of = f"an array of shape {x.shape} and dtype {x.dtype.name}"
        arguments = (given, seed) if self.seeded else (given,)
        try:
            result, changed = self.function(*arguments)
        except CasterError:
            raise
        except (TimeoutError, ChildProcessError) as error:
            if not isinstance(self.function, Isolated):
                raise CasterError("runs", f"raises {type(error).__name__} for {given_of}: {error}") from error
            raise CasterError("runs", f"{error}, given {given_of}") from error
        except Exception as error:  # whatever it raises is the finding
            name = "" if isinstance(self.function, Isolated) else f"{type(error).__name__}: "
            raise CasterError("runs", f"raises {name}{error}, given {given_of}") from error
        self.writes = self.writes or changed
        if result.shape != x.shape:
            raise CasterError("runs", f"returns shape {result.shape}, given {given_of}")
        return self._decoded(result, x) if self.returns == "codes" else self._checked(result, x)

    def _checked(self, result: Array, x: Array) -> Array:
        if result.dtype != x.dtype and not _is_dtype_of(result.dtype, self.format):
            raise CasterError("runs", f"returns dtype {result.dtype} for an array of dtype {x.dtype.name}")
        with np.errstate(all="ignore"):  # a signalling NaN
            return result.astype(np.float64)

    def _decoded(self, result: Array, x: Array) -> Array:
        if result.dtype.kind not in "iu":
            raise CasterError("runs", f"returns dtype {result.dtype} where codes are integers")
        codes = result.astype(np.int64) & (1 << (8 * result.itemsize)) - 1 if result.itemsize < 8 else result
        distinct, inverse = np.unique(codes, return_inverse=True)
        carrier = 24 if x.dtype.itemsize <= 4 else 53
        values = [self._value(int(code), carrier, result.dtype) for code in distinct]
        return np.array(values, np.float64)[inverse].reshape(x.shape)

    def _value(self, code: int, precision: int, dtype: np.dtype[Any]) -> float:
        bits = self.format.bits
        if dtype.kind == "i" and code >> (8 * dtype.itemsize - 1):  # a signed dtype: two's complement
            code &= (1 << bits) - 1
        if code >> bits:
            raise CasterError("runs", f"returns code {code:#x}, and codes of {self.format} have {bits} bits")
        if (code, precision) not in self._values:
            self._values[code, precision] = float(self.format.value_in(code, precision))
        return self._values[code, precision]


def _is_dtype_of(dtype: np.dtype[Any], fmt: Format) -> bool:
    """Whether a dtype is the format's own, as ml_dtypes has them."""
    try:
        return as_format(dtype) == fmt
    except (TypeError, ValueError):
        return False


def make_subject(
    caster: Any, fmt: Format, returns: str = "values", seeded: bool | None = None, timeout: float | None = None
) -> Subject:
    """A Subject of a callable, or of a command line given as a sequence of arguments.

    A command reads the source's bytes (little-endian, in order) from its standard input and writes the
    results' bytes: values of the same dtype, or codes of the smallest unsigned dtype that holds them.
    """
    if returns not in RETURNS:
        raise ValueError(f"returns must be one of {', '.join(RETURNS)}, got {returns!r}")
    if timeout is not None and (isinstance(timeout, bool) or not isinstance(timeout, int | float) or timeout <= 0):
        raise ValueError(f"timeout must be a positive number of seconds, got {timeout!r}")
    if isinstance(caster, Sequence) and not isinstance(caster, str) and all(isinstance(part, str) for part in caster):
        return Subject(_Command(list(caster), fmt, returns, timeout), fmt, returns)
    if not callable(caster):
        raise TypeError(f"caster must be a callable, a command as a list of arguments or a Table, got {caster!r}")
    takes_seed = _takes_seed(caster) if seeded is None else seeded
    watched = _Watched(caster, takes_seed and _names_seed(caster))
    return Subject(Isolated(watched, timeout) if timeout else watched, fmt, returns, takes_seed)


def _names_seed(caster: Callable[..., Any]) -> bool:
    """Whether there is an argument called seed."""
    try:
        return "seed" in inspect.signature(caster).parameters
    except (TypeError, ValueError):
        return False


def _takes_seed(caster: Callable[..., Any]) -> bool:
    """Whether a seed can be given, by its name or as a second argument."""
    if _names_seed(caster):
        return True
    try:
        inspect.signature(caster).bind(None, 0)
    except (TypeError, ValueError):
        return False
    return True


@dataclass
class _Watched:
    """A function of an array that also tells what it wrote to besides its result, or ""."""

    function: Callable[..., Any]
    by_name: bool = False
    _last: tuple[Array, bytes] | None = None

    def __call__(self, x: Array, *seed: int) -> tuple[Array, str]:
        options = {"seed": seed[0]} if self.by_name and seed else {}
        before, last = x.tobytes(), self._last
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            result = np.asarray(self.function(x, **options) if options else self.function(x, *seed))
        wrote = ""
        if x.tobytes() != before:
            wrote = f"writes into its input: an array of shape {x.shape} has changed after the call"
        elif last is not None and last[0].tobytes() != last[1]:
            wrote = "overwrites the result of the call before: both share their memory"
        self._last = None if np.shares_memory(result, x) else (result, result.tobytes())
        return result.copy(), wrote


@dataclass
class _Command:
    """A program that turns bytes into bytes."""

    arguments: list[str]
    format: Format
    returns: str
    timeout: float | None

    def __call__(self, x: Array) -> tuple[Array, str]:
        little = np.ascontiguousarray(x, x.dtype.newbyteorder("<"))
        try:
            done = subprocess.run(self.arguments, input=little.tobytes(), capture_output=True, timeout=self.timeout)
        except subprocess.TimeoutExpired:
            raise CasterError("runs", f"hangs: no answer within {self.timeout} s") from None
        except OSError as error:
            raise CasterError("runs", f"cannot be started: {error}") from error
        if done.returncode:
            tail = done.stderr.decode(errors="replace").strip()[-200:]
            raise CasterError("runs", f"ends with status {done.returncode}{f': {tail}' if tail else ''}")
        dtype = code_dtype(self.format) if self.returns == "codes" else x.dtype
        if len(done.stdout) != x.size * dtype.itemsize:
            wanted = f"{x.size} results of {dtype.itemsize} bytes"
            raise CasterError("runs", f"writes {len(done.stdout)} bytes where {wanted} were asked for")
        return np.frombuffer(done.stdout, dtype.newbyteorder("<")).astype(dtype).reshape(x.shape), ""


def code_dtype(fmt: Format) -> np.dtype[Any]:
    """The smallest unsigned dtype that holds a format's codes."""
    return np.dtype(next(f"u{size}" for size in (1, 2, 4, 8) if fmt.bits <= 8 * size))


def in_threads(work: Callable[[int], None], count: int) -> None:
    """Run ``work(0)`` to ``work(count - 1)`` at the same time; raises the first exception of any."""
    errors: list[BaseException] = []

    def guarded(index: int) -> None:
        try:
            work(index)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(index,)) for index in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
