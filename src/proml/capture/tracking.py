"""`track`: a run around a block of code, or around every call of a function."""

from __future__ import annotations

import functools
import inspect
import logging
import os
from collections.abc import Callable, Mapping
from contextlib import aclosing
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Any, TypeVar

from proml.capture.run import Run
from proml.config import Config, is_off, is_on, load
from proml.core.deadline import deadline_after
from proml.errors import ProjectMissing, UsageProblem

log = logging.getLogger("proml")

Function = TypeVar("Function", bound=Callable[..., Any])
_current: ContextVar[Run | None] = ContextVar("proml_run", default=None)


def current_run() -> Run | None:
    """The innermost run that is open in this thread or task, or None."""
    return _current.get()


class Tracking:
    """What `track` gives: a context manager that yields the Run, and a decorator around a function.

    As a decorator every call of the function is a run of its own; inside, `proml.current_run()` is it. The
    run of a coroutine or generator function lasts until the coroutine or generator ends.
    """

    def __init__(self, name: str, parameters: Mapping[str, Any] | None, within: float | None = None) -> None:
        """Remember what the run shall be called; nothing is recorded yet."""
        self._name = name
        self._parameters = parameters
        self._within = within
        self._entered: list[tuple[Run, Token[Run | None]]] = []

    def __enter__(self) -> Run:
        run = Run(self._name, _configuration()).start(self._parameters, within=self._within)
        self._entered.append((run, _current.set(run)))
        return run

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        run, token = self._leave()
        try:
            _current.reset(token)
        except ValueError:
            pass  # a generator or task ended by another one than began it: there is nothing to set back here
        finally:
            run._closed_by(error)  # noqa: SLF001 -- the two are one thing in two classes

    def __call__(self, function: Function) -> Function:
        """Decorate a function: every call is a run of its own."""
        around: Function = _around(function, lambda: Tracking(self._name, self._parameters, self._within))
        return around

    def _leave(self) -> tuple[Run, Token[Run | None]]:
        """The run that is being left: threads may share this object, and each has its own current run."""
        current = _current.get()
        own = [entered for entered in self._entered if entered[0] is current]
        left = (own or self._entered)[-1]
        self._entered.remove(left)
        return left


def track(name: str, *, parameters: Mapping[str, Any] | None = None, within: float | None = None) -> Tracking:
    """Track a run: `with proml.track("train") as run:` or `@proml.track("train")`.

    Args:
        name: what the run is called; members of the consortium may come to read it.
        parameters: settings worth keeping, names to JSON values.
        within: seconds after which the run counts as abandoned if it is still open: its deadline stands
            in its plan, and the time of the blocks decides.

    Raises:
        ProjectMissing, ConfigInvalid: in strict mode only, when entered; otherwise a warning is logged
            under `proml` and nothing is recorded.
    """
    if not isinstance(name, str) or not name:  # type: ignore[redundant-expr]
        raise UsageProblem(f"a run needs a name, not {name!r}", 'proml.track("train")')
    if within is not None:
        deadline_after(0, within)
    return Tracking(name, parameters, within)


def _around(function: Any, tracking: Callable[[], Tracking]) -> Any:
    """The function with a run around each call; an asynchronous generator gets nothing that is sent to it."""

    async def in_task(*args: Any, **kwargs: Any) -> Any:
        with tracking():
            return await function(*args, **kwargs)

    async def in_stream(*args: Any, **kwargs: Any) -> Any:
        with tracking():
            async with aclosing(function(*args, **kwargs)) as items:
                async for item in items:
                    yield item

    def in_generator(*args: Any, **kwargs: Any) -> Any:
        with tracking():
            return (yield from function(*args, **kwargs))

    def in_call(*args: Any, **kwargs: Any) -> Any:
        with tracking():
            return function(*args, **kwargs)

    chosen: Any = in_call
    if inspect.iscoroutinefunction(function):
        chosen = in_task
    elif inspect.isasyncgenfunction(function):
        chosen = in_stream
    elif inspect.isgeneratorfunction(function):
        chosen = in_generator
    return functools.wraps(function)(chosen)


def _configuration() -> Config | None:
    if is_off():
        return None
    try:
        return load()
    except Exception as error:
        if is_on(os.environ.get("PROML_STRICT", "")):
            raise
        hint = getattr(error, "hint", "")
        level = logging.WARNING if isinstance(error, ProjectMissing) else logging.ERROR
        log.log(level, "nothing is recorded: %s%s", error, f" ({hint})" if hint else "")
        return None
