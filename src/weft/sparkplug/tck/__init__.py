"""A passive checker of the normative statements (``tck-id-…``) of Sparkplug 3.0 on a recorded session."""

from weft.sparkplug.tck.recording import Entry, read_recording, write_recording
from weft.sparkplug.tck.report import Finding, Verdict, check, known_ids

__all__ = ["Entry", "Finding", "Verdict", "check", "known_ids", "read_recording", "write_recording"]
