"""``weft sparkplug``: judges Sparkplug sessions by the specification."""

from __future__ import annotations

import secrets
import time
from collections import Counter
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import anyio
import click

from weft.cli.output import FOUND, document, table
from weft.mqtt.broker import Broker
from weft.mqtt.session import Session
from weft.runtime import Invalid, NeedsHuman
from weft.runtime.secret import resolve
from weft.sparkplug.tck import Entry, Finding, Verdict, check, read_recording, write_recording
from weft.sparkplug.topic import NAMESPACE

__all__ = ["check_session"]

MOST: Final = 1_000_000  # messages that are recorded
DAMPED: Final = {Verdict.PASS: "green", Verdict.FAIL: "red"}


def check_session(
    recording: Path | None, broker: str, seconds: float, save: Path | None, *, everything: bool, as_json: bool
) -> None:
    """From a file, or from what a broker passes on within ``seconds``. Exits with 1 when a statement fails."""
    if (recording is None) == (not broker):
        raise Invalid(
            "Name either a recording or a broker.", remedy="weft sparkplug check --broker mqtt://host"
        )
    entries = read_recording(recording) if recording is not None else anyio.run(_listen, broker, seconds)
    if save is not None:
        write_recording(save, entries)
    findings = check(entries)
    if as_json:
        document({"entries": len(entries), "findings": [_plain(finding) for finding in findings]})
    else:
        _show(findings, len(entries), everything=everything)
    if any(finding.verdict is Verdict.FAIL for finding in findings):
        raise click.exceptions.Exit(FOUND)


def _plain(finding: Finding) -> dict[str, Any]:
    return {"id": finding.id, "verdict": finding.verdict, "count": finding.count, "why": list(finding.why)}


def _show(findings: list[Finding], entries: int, *, everything: bool) -> None:
    shown = [f for f in findings if everything or f.count]
    table(
        ("statement", "verdict", "looked at", "where"),
        [(f.id, str(f.verdict), str(f.count or ""), "; ".join(f.why)) for f in shown],
    )
    counts = Counter(finding.verdict for finding in findings)
    told = ", ".join(f"{counts[verdict]} {verdict}" for verdict in Verdict)
    click.secho(
        f"{entries:,} entries: {told}", fg=DAMPED[Verdict.FAIL if counts[Verdict.FAIL] else Verdict.PASS]
    )


async def _listen(url: str, seconds: float) -> list[Entry]:
    """What a broker passes on. With MQTT 5.0 the retain flag is seen as published; where the broker speaks 3.1.1
    only, it is not."""
    for version in ("5", "3.1.1"):
        try:
            return await _hear(_broker(url, version), seconds)
        except NeedsHuman:
            if version == "3.1.1":
                raise
    return []


def _broker(url: str, version: Any) -> Broker:
    parts = urlsplit(url if "://" in url else f"mqtt://{url}")
    if not parts.hostname or parts.scheme not in ("mqtt", "mqtts"):
        raise Invalid(f"{url!r} is no address of a broker.", remedy="mqtt://host:1883 or mqtts://host:8883")
    password = "env:WEFT_MQTT_PASSWORD" if parts.username else ""
    tls = parts.scheme == "mqtts"
    user = parts.username or ""
    return Broker(
        host=parts.hostname, port=parts.port, user=user, password=password, version=version, tls=tls
    )


async def _hear(broker: Broker, seconds: float) -> list[Entry]:
    entries: list[Entry] = []
    password = resolve(broker.password, "password")
    session = Session(broker, f"weftlook{secrets.token_hex(6)}", broker.user, password, clean=True)
    try:
        await session.open()
        await session.subscribe([f"{NAMESPACE}/#"], qos=1, as_published=True)
        with anyio.move_on_after(seconds):
            while len(entries) < MOST:
                messages = await session.receive()
                session.acknowledge(messages)
                now = time.time_ns()
                entries += [
                    Entry(
                        time=now, topic=message.topic, payload=message.payload, qos=1 if message.id else 0,
                        retain=message.retained if broker.version == "5" else None,
                    )
                    for message in messages
                ]  # fmt: skip
    finally:
        await session.close()
    return entries
