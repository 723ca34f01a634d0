"""Which stream keeps which subject, and what one publish may hold. The same rules in every back-end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from weft.bus.api import Draft, Stream
from weft.bus.subjects import check_pattern, check_subject, covers, matches, overlap
from weft.runtime import Conflict, Invalid, NotFound

__all__ = ["MOST_DRAFTS", "Streams", "check_stream"]

MOST_DRAFTS: Final = 1_000  # the server's limit of one atomic batch
_REMEMBERED: Final = 65_536


def check_stream(stream: Stream) -> Stream:
    """The stream, when it can be declared. Raises Invalid."""
    if not stream.name or not all(c.isascii() and (c.isalnum() or c in "-_") for c in stream.name):
        raise Invalid(f"{stream.name!r} is not a stream's name.", remedy="Use letters, digits, - and _.")
    if not stream.subjects:
        raise Invalid(f"The stream {stream.name!r} has no subjects.")
    for pattern in stream.subjects:
        check_pattern(pattern)
    if stream.max_age <= 0 or stream.max_bytes <= 0 or stream.duplicate_window < 0:
        raise Invalid(f"The limits of the stream {stream.name!r} must be above zero.")
    return stream


class Streams:
    """The subjects of the declared streams by name."""

    def __init__(self) -> None:
        self._subjects: dict[str, tuple[str, ...]] = {}
        self._by_subject: dict[str, str] = {}

    def put(self, name: str, subjects: Sequence[str]) -> None:
        """Raises Conflict when another stream keeps some of the subjects."""
        for other, patterns in self._subjects.items():
            if other != name and any(overlap(one, two) for one in patterns for two in subjects):
                raise Conflict(f"The streams {name!r} and {other!r} would keep the same subjects.")
        self._subjects[name] = tuple(subjects)
        self._by_subject.clear()

    def replace(self, subjects: dict[str, tuple[str, ...]]) -> None:
        """All of them anew."""
        self._subjects = subjects
        self._by_subject.clear()

    def knows(self, subject: str) -> bool:
        """Whether it was asked for this subject since the streams last changed."""
        return subject in self._by_subject

    def keeping(self, subject: str) -> str:
        """The name of the stream that keeps the subject; empty for none."""
        name = self._by_subject.get(subject)
        if name is None:
            found = (
                stream
                for stream, patterns in self._subjects.items()
                if any(matches(p, subject) for p in patterns)
            )
            if len(self._by_subject) >= _REMEMBERED:
                self._by_subject.clear()
            name = self._by_subject[subject] = next(found, "")
        return name

    def behind(self, pattern: str) -> str:
        """The name of the stream that keeps everything of the pattern. Raises NotFound."""
        for name, patterns in self._subjects.items():
            if any(covers(outer, pattern) for outer in patterns):
                return name
        raise NotFound(f"No stream keeps {pattern!r}.", remedy="Declare one, or subscribe live.")

    def of(self, drafts: Sequence[Draft]) -> str:
        """The stream of one publish; empty for none. Raises Invalid when the drafts belong to several, are too
        many for one atomic batch, or only some have ids."""
        names = {self.keeping(check_subject(draft.subject)) for draft in drafts}
        if len(names) > 1:
            kept = ", ".join(sorted(repr(name) for name in names))
            raise Invalid(
                f"One publish goes to one stream, not to {kept}.", remedy="Publish them separately."
            )
        name = names.pop() if names else ""
        if name and len(drafts) > MOST_DRAFTS:
            raise Invalid(f"{len(drafts)} messages in one publish; a stream takes {MOST_DRAFTS} at once.")
        if name and len({bool(draft.id) for draft in drafts}) > 1:
            # A repeat is recognised by the ids; what has none beside it would be stored twice.
            raise Invalid("Some messages of one publish have ids and others none.", remedy="Give all one.")
        return name
