"""The shelf: the segments that count, the manifest that says so, and the files on their way out."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import anyio
import anyio.to_thread
import msgspec

from weft.history.manifest import Aside, Folder, Manifest
from weft.history.segment import Segment, SegmentFile, Torn
from weft.history.view import View
from weft.model import Event, Kind, instant
from weft.runtime import Clock, Conflict, Retry, get_logger

__all__ = ["Shelf"]

log = get_logger(__name__)


def _nothing() -> None:
    pass


class Shelf:
    """Changes one at a time, each by a manifest that is safe on disk before anybody sees it. A replaced file
    stays ``grace`` seconds for readers in other processes. A ``read_only`` shelf changes nothing on disk and
    follows the manifest that another process writes."""

    def __init__(self, folder: Folder, clock: Clock, grace: float, *, read_only: bool = False) -> None:
        self.folder = folder
        self._read_only = read_only
        self._clock = clock
        self._grace = grace
        self._events: deque[Event] = deque(maxlen=1_000)
        self._views: list[View] = []
        self._retired: list[tuple[float, str]] = []
        self._changing = anyio.Lock()
        self._files: dict[str, SegmentFile] = {}
        self._manifest: Manifest = folder.look() if read_only else folder.open()
        self._set(self._manifest)

    def check(self) -> None:
        """Sets aside what is damaged at a glance; before anybody reads. Raises OSError."""
        for segment in self.segments:
            reason = self.folder.damaged(segment)
            if reason:
                self.remove_now(Torn(segment, reason))

    @property
    def manifest(self) -> Manifest:
        return self._manifest

    @property
    def segments(self) -> tuple[Segment, ...]:
        return self._manifest.segments

    @property
    def files(self) -> list[SegmentFile]:
        """Readers of the segments, in their order."""
        return [self._files[segment.file] for segment in self.segments]

    def must_write(self) -> None:
        """Raises Conflict on a shelf that is only read."""
        if self._read_only:
            raise Conflict("This history was opened for reading only.", remedy="Write where it is served.")

    def look(self) -> None:
        """A read-only shelf follows the manifest on disk. Raises NeedsHuman."""
        if self._read_only:
            self._set(self.folder.look())

    def take_events(self) -> list[Event]:
        events = list(self._events)
        self._events.clear()
        return events

    @contextmanager
    def reading(self, view: View) -> Iterator[View]:
        """While it is open, no file of the view goes."""
        self._views.append(view)
        try:
            yield view
        finally:
            self._views.remove(view)

    async def change(
        self, make: Callable[[Manifest], Manifest | None], then: Callable[[], None] = _nothing
    ) -> bool:
        """Saves and follows the manifest that ``make`` makes of the present one, and calls ``then`` at that
        very moment, so that every reader sees both or neither; None leaves all as it is. Raises OSError."""
        self.must_write()
        async with self._changing:
            manifest = make(self._manifest)
            if manifest is None:
                return False
            await anyio.to_thread.run_sync(self.folder.save, manifest)
            self._set(manifest)
            then()
            return True

    async def replace(self, run: Sequence[Segment], merged: Segment) -> bool:
        """Puts ``merged`` in the place of the segments it was made of; False when one of them has gone."""
        gone = {segment.number for segment in run}

        def make(manifest: Manifest) -> Manifest | None:
            if not gone <= {segment.number for segment in manifest.segments}:
                return None
            kept = [s for s in manifest.segments if s.number not in gone]
            return _with(manifest, sorted([*kept, merged], key=lambda s: s.number), run)

        changed = await self.change(make, lambda: self._retire(run))
        if not changed:
            self.folder.set_aside(self.folder.segments / merged.file)
        return changed

    async def drop(self, old: Sequence[Segment]) -> None:
        """Forgets these segments."""

        def make(manifest: Manifest) -> Manifest:
            return _with(manifest, [s for s in manifest.segments if s not in old], old)

        await self.change(make, lambda: self._retire(old))

    async def remove(self, torn: Torn) -> None:
        """Sets a damaged segment aside and says so; the others are served on. Raises OSError. On a read-only
        shelf it may just have been replaced: that raises Retry only when the manifest still names it."""
        if self._read_only:
            self.look()
            if torn.segment in self.segments:
                raise Retry(
                    f"A segment cannot be read: {torn}.", remedy="Weft sets it aside when it reads it."
                )
            return
        async with self._changing:
            if torn.segment in self.segments:
                await anyio.to_thread.run_sync(self.folder.save, self._without(torn))
                self._tell(torn)

    def remove_now(self, torn: Torn) -> None:
        """As :meth:`remove`, at the start, when nothing else runs."""
        if not self._read_only:
            self.folder.save(self._without(torn))
            self._tell(torn)

    def sweep(self) -> None:
        """Removes replaced files that nobody here reads and that others have had the time to let go."""
        until = self._clock.monotonic() - self._grace
        kept = []
        for retired, name in self._retired:
            if retired > until or any(view.uses(name) for view in self._views):
                kept.append((retired, name))
            else:
                (self.folder.segments / name).unlink(missing_ok=True)
        self._retired = kept
        # The next manifest that is saved forgets them; naming a file that has gone does no harm.
        self._manifest = msgspec.structs.replace(self._manifest, retired=tuple(name for _, name in kept))

    def _retire(self, segments: Sequence[Segment]) -> None:
        self._retired += [(self._clock.monotonic(), segment.file) for segment in segments]

    def _set(self, manifest: Manifest) -> None:
        known = self._files
        self._manifest = manifest
        self._files = {
            s.file: known.get(s.file) or SegmentFile(self.folder.segments, s) for s in manifest.segments
        }

    def _without(self, torn: Torn) -> Manifest:
        aside = Aside(segment=torn.segment, reason=torn.reason, time=self._clock.now())
        kept = tuple(segment for segment in self.segments if segment != torn.segment)
        self._set(
            msgspec.structs.replace(self._manifest, segments=kept, aside=(*self._manifest.aside, aside))
        )
        self.folder.set_aside(self.folder.segments / torn.segment.file)
        return self._manifest

    def _tell(self, torn: Torn) -> None:
        segment = torn.segment
        log.error(
            "segment is damaged and set aside",
            file=segment.file,
            reason=torn.reason,
            rows=segment.rows,
            sequences=f"{segment.after + 1} to {segment.sequence}",
            samples=f"{instant.text(segment.first_time)} to {instant.text(segment.last_time)}",
        )
        data = {
            "file": segment.file,
            "reason": torn.reason,
            "rows": segment.rows,
            "first_time": segment.first_time,
            "last_time": segment.last_time,
        }
        now = self._clock.now()
        self._events.append(
            Event(kind=Kind.DATA_GAP, source="history", time=segment.first_time, recorded=now, data=data)
        )


def _with(manifest: Manifest, segments: Sequence[Segment], retired: Sequence[Segment]) -> Manifest:
    names = (*manifest.retired, *(segment.file for segment in retired))
    return msgspec.structs.replace(manifest, segments=tuple(segments), retired=names)
