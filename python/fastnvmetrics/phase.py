"""Recording phases: stretches of a recording that have a name."""

from __future__ import annotations

import functools
import inspect
import warnings
from collections.abc import AsyncGenerator, Callable, Generator
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar, cast

from .errors import FastNVMetricsError

if TYPE_CHECKING:
    from typing_extensions import Self

    from .recorder import NVMetrics

__all__ = ["Phase"]

_F = TypeVar("_F", bound=Callable[..., Any])

# FNVM_E_NOT_RUNNING and FNVM_E_FORKED of fastnvmetrics.h: nothing is recorded here.
_NOT_RECORDING = (-5, -12)


class Phase:
    """A phase of a recording, as a context manager and as a decorator: `NVMetrics.phase` makes one.

    As a context manager it is one phase at a time: inside of its own block, or in another thread
    meanwhile, take a new one from `NVMetrics.phase`. After the block it can be used again. The
    exception of the block ends the phase and goes on.

    As a decorator it makes a phase of each call, recursive and concurrent ones too: of a coroutine
    from its first step to its return, of a generator from the first value asked of it until it
    ends, is closed or is dropped, what happens between its steps included. Where nothing is recorded, the
    function just runs.

    Attributes
    ----------
    name : str
        What it is called.
    id : int
        Its `id` in ``read_trace(path)["phases"]``; 0 before it has begun.

    Raises
    ------
    FastNVMetricsError
        By the ``with`` statement: nothing is recorded.
    OSError
        Likewise: thousands of marks wait for the disk already (EAGAIN).
    ValueError
        Likewise: 4096 phases are open.

    Warns
    -----
    RuntimeWarning
        The end could not be recorded, because thousands of marks wait for the disk already: in the trace the phase
        lasts to the end and has no `was_ended`. Also for the beginning, where a function was decorated.

    Examples
    --------
    >>> import fastnvmetrics as fm
    >>> nv = fm.NVMetrics("run.bin", board=fm.get_board_config("generic_linux"))
    >>> @nv.phase("token")
    ... def next_token(n):
    ...     return n + 1
    >>> with nv, nv.phase("decode"):
    ...     next_token(next_token(0))
    2
    >>> fm.read_trace("run.bin")["phases"][["name", "depth"]].tolist()
    [('decode', 0), ('token', 1), ('token', 1)]
    """

    __slots__ = ("_is_open", "_recorder", "id", "name")

    def __init__(self, recorder: NVMetrics, name: str) -> None:
        self.name = name
        self.id = 0
        self._recorder = recorder
        self._is_open = False

    def __enter__(self) -> Self:
        if self._is_open:
            raise RuntimeError(
                f"the phase {self.name!r} has begun and not ended: make another one with NVMetrics.phase"
            )
        self.id = self._recorder._engine.phase_begin(self.name)
        self._is_open = True
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if not self._is_open:
            return
        self._is_open = False
        try:
            self._recorder._engine.phase_end(self.id)
        except FastNVMetricsError as error:
            if error.status not in _NOT_RECORDING:
                raise
        except ValueError:  # it ended with its recording, and the next one runs
            pass
        except OSError as error:  # what the block has done is worth more
            self._warn("end", error)

    def __call__(self, function: _F) -> _F:
        if not callable(function):
            raise TypeError(f"a phase decorates functions, not {function!r}")
        if inspect.isasyncgenfunction(function):
            wrapper = self._async_generator(function)
        elif inspect.isgeneratorfunction(function):
            wrapper = self._generator(function)
        elif inspect.iscoroutinefunction(function):
            wrapper = self._coroutine(function)
        else:
            wrapper = self._function(function)
        return cast(_F, functools.wraps(function)(wrapper))

    def __repr__(self) -> str:
        return f"<Phase {self.name!r}{', begun' if self._is_open else ''}>"

    def _function(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            with self._call():
                return function(*args, **kwargs)

        return wrapper

    def _coroutine(self, function: Callable[..., Any]) -> Callable[..., Any]:
        async def wrapper(*args: Any, **kwargs: Any) -> Any:
            with self._call():
                return await function(*args, **kwargs)

        return wrapper

    def _generator(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
            with self._call():
                return (yield from function(*args, **kwargs))

        return wrapper

    def _async_generator(self, function: Callable[..., Any]) -> Callable[..., Any]:
        async def wrapper(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
            with self._call():
                generator = function(*args, **kwargs)
                step = generator.__anext__()
                while True:
                    try:
                        value = await step
                    except StopAsyncIteration:
                        return
                    try:
                        sent = yield value
                    except GeneratorExit:
                        await generator.aclose()
                        raise
                    except BaseException as thrown:
                        step = generator.athrow(thrown)
                    else:
                        step = generator.asend(sent)

        return wrapper

    def _call(self) -> Phase:
        return _PhaseOfCall(self._recorder, self.name)

    def _warn(self, what: str, error: Exception) -> None:
        warnings.warn(
            f"the {what} of the phase {self.name!r} could not be recorded: {error}",
            RuntimeWarning,
            stacklevel=3,
        )


class _PhaseOfCall(Phase):
    """The phase of one call of a decorated function, which runs whether it is recorded or not."""

    __slots__ = ()

    def __enter__(self) -> Self:
        if not self._recorder.is_running:
            return self
        try:
            super().__enter__()
        except FastNVMetricsError as error:  # stopped since
            if error.status not in _NOT_RECORDING:
                raise
        except (OSError, ValueError) as error:
            self._warn("beginning", error)
        return self
