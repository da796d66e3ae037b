"""What a user's code raised, told from the user's side."""

import traceback
from collections.abc import Collection
from types import TracebackType

from freehold.domain.run import Failure


def failure_of(exc: BaseException, modules: Collection[str]) -> Failure:
    """A Failure whose traceback begins with the frames of the project's modules."""
    summary = "".join(traceback.format_exception_only(exc)).strip()
    own, others = _frames(exc.__traceback__, frozenset(modules))
    frame = ""
    if own:
        last = own[-1]
        frame = f"{last.filename}:{last.lineno} in {last.name}"
    lines = [summary, "", "In your code:", *traceback.format_list(own)]
    if others:
        lines += ["In libraries that it called:", *traceback.format_list(others)]
    for before in _chain(exc):
        lines += ["Raised from:", *traceback.format_exception(before, chain=False)]
    return Failure("step.raised", summary, frame, "\n".join(line.rstrip() for line in lines))


def _frames(
    start: TracebackType | None, modules: frozenset[str]
) -> tuple[list[traceback.FrameSummary], list[traceback.FrameSummary]]:
    own: list[traceback.FrameSummary] = []
    others: list[traceback.FrameSummary] = []
    for frame, line in traceback.walk_tb(start):
        module = frame.f_globals.get("__name__", "")
        if module == __name__.replace("failure", "work"):
            continue
        code = frame.f_code
        is_own = module in modules
        name = _relative(code.co_filename, module) if is_own else code.co_filename
        summary = traceback.FrameSummary(code.co_filename, line, code.co_name)
        (own if is_own else others).append(
            traceback.FrameSummary(name, line, code.co_name, line=summary.line)
        )
    return own, others


def _relative(path: str, module: str) -> str:
    """The file as its module's name says it, without the project's folder."""
    parts = path.replace("\\", "/").split("/")
    return "/".join(parts[-(module.count(".") + 1 + (parts[-1] == "__init__.py")) :])


def _chain(exc: BaseException) -> list[BaseException]:
    found: list[BaseException] = []
    before = exc.__cause__ or (None if exc.__suppress_context__ else exc.__context__)
    while before is not None and before not in found:
        found.append(before)
        before = before.__cause__ or (None if before.__suppress_context__ else before.__context__)
    return found
