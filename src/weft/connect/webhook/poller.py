"""Asks addresses at an interval. One that does not answer costs only its own signals."""

from __future__ import annotations

import httpx

from weft.connect.webhook.address import Poll
from weft.connect.webhook.bodies import payloads_of
from weft.connect.webhook.desk import Desk
from weft.model.quality import BAD_NO_COMMUNICATION
from weft.runtime import Invalid, NeedsHuman, Retry, WeftError, get_logger
from weft.runtime.secret import resolve

__all__ = ["Poller", "fetch", "http_client"]

log = get_logger(__name__)


def http_client(timeout: float, ca: str = "") -> httpx.AsyncClient:
    """Raises NeedsHuman for an authority file that cannot be read."""
    import ssl

    try:
        trust: ssl.SSLContext | bool = ssl.create_default_context(cafile=ca) if ca else True
    except (OSError, ssl.SSLError) as error:
        raise NeedsHuman(f"The authority file {ca} cannot be read.", remedy="Check ca.") from error
    return httpx.AsyncClient(timeout=timeout, verify=trust, trust_env=False, headers={"User-Agent": "weft"})


async def fetch(http: httpx.AsyncClient, poll: Poll, most: int) -> tuple[bytes, str]:
    """The body and its content type. Raises Retry, or NeedsHuman when it does not let us in."""
    headers = {"Accept": "application/json, text/csv;q=0.8, text/plain;q=0.5"}
    if poll.token:
        token = resolve(poll.token, "token")
        headers[poll.header] = f"Bearer {token}" if poll.header.lower() == "authorization" else token
    try:
        async with http.stream("GET", poll.url, headers=headers) as response:
            if response.status_code in (401, 403):
                raise NeedsHuman(
                    f"{poll.url} does not let us in (HTTP {response.status_code}).", remedy="Check its token."
                )
            if not response.is_success:
                raise Retry(f"{poll.url} answers HTTP {response.status_code}.")
            body = bytearray()
            async for some in response.aiter_bytes():
                body += some
                if len(body) > most:
                    raise Retry(f"{poll.url} answers more than {most:,} bytes.", remedy="Ask for less of it.")
            return bytes(body), response.headers.get("content-type", "")
    except httpx.HTTPError as error:
        raise Retry(f"{poll.url} does not answer: {error or type(error).__name__}.") from error


class Poller:
    """One poll. ``fault`` is why it does not answer now, None while it does, ``asked`` whether it was tried."""

    def __init__(self, name: str, poll: Poll, desk: Desk, *, most: int, timeout: float) -> None:
        self.name = name
        self.fault: WeftError | None = None
        self.asked = False
        self._poll = poll
        self._desk = desk
        self._most = most
        self._timeout = timeout

    async def run(self, told: object) -> None:
        """Until cancelled; ``told()`` after each answer."""
        clock = self._desk.link.clock
        async with http_client(self._timeout, self._poll.ca) as http:
            due = clock.monotonic()
            while True:
                await self._ask(http)
                if callable(told):
                    told()
                due = max(due + self._poll.interval, clock.monotonic())
                await clock.sleep(due - clock.monotonic())

    async def _ask(self, http: httpx.AsyncClient) -> None:
        first, self.asked = not self.asked, True
        try:
            body, form = await fetch(http, self._poll, self._most)
            payloads = payloads_of(body, form)
        except (Retry, NeedsHuman, Invalid) as fault:
            if self.fault is None or first:
                log.warning("a poll does not answer", poll=self.name, because=str(fault))
                self._desk.lose(self.name, BAD_NO_COMMUNICATION)
            self.fault = fault
            return
        self.fault = None
        _, stored = self._desk.take(self.name, payloads)
        # The next answer is asked for when this one is stored: nothing piles up.
        await stored.wait()
