"""The manifest: which files are the history. Replaced as a whole by an atomic rename, so that Weft after a
crash and readers in other processes always see a consistent set."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec
import pyarrow as pa

from weft.history.segment import Segment, about
from weft.runtime import Invalid, NeedsHuman, get_logger
from weft.runtime.files import PARTIAL, sync_folder, write_whole

__all__ = ["Aside", "Folder", "Manifest"]

log = get_logger(__name__)

FORMAT: Final = 1


class Aside(msgspec.Struct, frozen=True, kw_only=True):
    """A segment that was taken out because its file is damaged or gone."""

    segment: Segment
    reason: str
    time: int


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """``sealed``: every message of the stream up to this sequence is in the segments. ``next``: the number
    that the next segment gets. ``segments`` by rising number. ``retired`` files were replaced and go soon."""

    format: int = FORMAT
    sealed: int = 0
    next: int = 1
    newest: str = ""
    segments: tuple[Segment, ...] = ()
    retired: tuple[str, ...] = ()
    aside: tuple[Aside, ...] = ()


class Folder:
    """``manifest.json``, ``segments/*.parquet``, ``newest-….parquet`` and ``aside/``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.segments = path / "segments"
        self.aside = path / "aside"
        self.manifest = path / "manifest.json"

    def look(self) -> Manifest:
        """The manifest as it is, for a reader beside the writer. Raises NeedsHuman when it cannot be read."""
        try:
            return self._parsed(self.manifest.read_bytes())
        except FileNotFoundError:
            return Manifest()
        except (OSError, ValueError) as error:  # no JSON, or no UTF-8
            raise NeedsHuman(
                f"{self.manifest} cannot be read: {error}.",
                remedy="Start Weft on this folder: it makes the manifest anew from the segments.",
            ) from error

    def open(self) -> Manifest:
        """The manifest after tidying up what an interruption has left. Raises NeedsHuman when the folder
        cannot be used, Invalid when a newer Weft has written it."""
        try:
            self.segments.mkdir(parents=True, exist_ok=True)
            manifest = self._load()
            manifest = self._tidy(manifest)
            self.save(manifest)
        except OSError as error:
            raise NeedsHuman(
                f"The history's folder {self.path} cannot be used: {error.strerror}.",
                remedy="Check its owner, its permissions and the free space.",
            ) from error
        return manifest

    def save(self, manifest: Manifest) -> None:
        """Safe on disk when it returns. Raises OSError."""
        text = msgspec.json.format(msgspec.json.encode(manifest), indent=1)
        write_whole(self.manifest, lambda partial: partial.write_bytes(text))

    def set_aside(self, file: Path) -> None:
        """Moves a file out of the way; one that is gone already is no matter."""
        self.aside.mkdir(exist_ok=True)
        try:
            file.replace(self.aside / file.name)
        except FileNotFoundError:
            return
        sync_folder(file.parent)

    def _load(self) -> Manifest:
        try:
            return self._parsed(self.manifest.read_bytes())
        except FileNotFoundError:
            return self._rebuild("is missing") if any(self.segments.glob("*.parquet")) else Manifest()
        except ValueError as error:  # no JSON, or no UTF-8
            self.set_aside(self.manifest)
            return self._rebuild(f"cannot be read ({error})")

    def _parsed(self, text: bytes) -> Manifest:
        manifest = msgspec.json.decode(text, type=Manifest)
        if manifest.format > FORMAT:
            raise Invalid(
                f"{self.manifest} has format {manifest.format}; this Weft knows up to {FORMAT}.",
                remedy="Run the Weft that wrote it, or a newer one.",
            )
        return manifest

    def _rebuild(self, reason: str) -> Manifest:
        """From what the segments say about themselves; those that were merged into others are left out."""
        found = []
        for path in sorted(self.segments.glob("*.parquet")):
            try:
                found.append(about(path))
            except (OSError, pa.ArrowException, ValueError) as error:
                log.warning("segment cannot be read", file=path.name, reason=_line(error))
        # The widest first: what it covers was merged into it.
        found.sort(key=lambda s: (s.first_number - s.number, s.number))
        kept: list[Segment] = []
        for segment in found:
            if not any(k.first_number <= segment.first_number and segment.number <= k.number for k in kept):
                kept.append(segment)
        kept.sort(key=lambda s: s.number)
        log.error("the manifest was made anew from the segments", because=reason, segments=len(kept))
        return Manifest(
            sealed=kept[-1].sequence if kept else 0,
            next=max((s.number for s in found), default=0) + 1,
            segments=tuple(kept),
        )

    def _tidy(self, manifest: Manifest) -> Manifest:
        for name in manifest.retired:
            (self.segments / name).unlink(missing_ok=True)
        for path in [*self.path.glob(f"*{PARTIAL}"), *self.segments.glob(f"*{PARTIAL}")]:
            log.warning("unfinished file removed", file=path.name)
            path.unlink(missing_ok=True)
        for path in self.path.glob("newest-*.parquet"):
            if path.name != manifest.newest:
                path.unlink(missing_ok=True)
        known = {segment.file for segment in manifest.segments}
        for path in self.segments.glob("*.parquet"):
            if path.name not in known:
                log.warning("file is not in the manifest: set aside", file=path.name)
                self.set_aside(path)
        return msgspec.structs.replace(manifest, retired=())

    def damaged(self, segment: Segment) -> str:
        """Why the file cannot be the segment, at a glance; empty when it may be."""
        try:
            size = (self.segments / segment.file).stat().st_size
        except OSError as error:
            return error.strerror or str(error)
        return "" if size == segment.size else f"it has {size} bytes instead of {segment.size}"


def _line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
