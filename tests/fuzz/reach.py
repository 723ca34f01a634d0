"""Which lines of the decoders a set of inputs reaches."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Sequence
from types import CodeType, FrameType, ModuleType
from typing import Any

from fuzz.target import Target


def reached(decoders: Sequence[str], target: Target, inputs: Sequence[bytes]) -> dict[str, int]:
    """``lines`` in the functions of the decoders' own modules and how many of them ran."""
    known: dict[str, set[int]] = {}
    for module in _modules(decoders):
        known[module.__file__ or ""] = {line for code in _functions(module) for line in _lines(code)}
    seen: dict[str, set[int]] = {file: set() for file in known}

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        lines = seen.get(frame.f_code.co_filename)
        if lines is None:
            return None
        lines.add(frame.f_lineno)
        return trace

    sys.settrace(trace)
    try:
        for data in inputs:
            target.run(data)
    finally:
        sys.settrace(None)
    return {
        "lines": sum(map(len, known.values())),
        "reached": sum(len(lines & seen[file]) for file, lines in known.items()),
        "corpus": len(inputs),
    }


def _modules(decoders: Sequence[str]) -> Iterator[ModuleType]:
    for name, module in list(sys.modules.items()):
        if module is not None and getattr(module, "__file__", None) and _within(name, decoders):
            yield importlib.import_module(name)


def _within(name: str, decoders: Sequence[str]) -> bool:
    ours = name.startswith("weft.")  # other people's libraries are fuzzed with it, but not counted
    return ours and any(name == decoder or name.startswith(f"{decoder}.") for decoder in decoders)


def _functions(module: ModuleType) -> Iterator[CodeType]:
    waiting: list[Any] = list(vars(module).values())
    while waiting:
        found = waiting.pop()
        if isinstance(found, type) and found.__module__ == module.__name__:
            waiting.extend(vars(found).values())
        found = getattr(found, "fget", found)
        found = getattr(found, "__func__", getattr(found, "__wrapped__", found))
        code = getattr(found, "__code__", None)
        if isinstance(code, CodeType) and code.co_filename == module.__file__:
            yield code


def _lines(code: CodeType) -> Iterator[int]:
    yield from (line for _, _, line in code.co_lines() if line)
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _lines(inner)
