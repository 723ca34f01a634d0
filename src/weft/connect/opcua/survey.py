"""A whole browse, over as many lines as it takes."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from typing import Final

import anyio
import msgspec

from weft.connect.opcua.browse import Page, Walk
from weft.connect.opcua.config import Config
from weft.connect.opcua.profile import Profile
from weft.connect.opcua.profiles import profile_of
from weft.connect.opcua.session import session
from weft.model import quality
from weft.runtime import Retry, get_logger

__all__ = ["survey"]

log = get_logger(__name__)

PAUSE: Final = 0.5  # s
MOST_TRIES: Final = 120  # to reach the server again
MOST_LOSSES: Final = 20  # in a row, without a step in between
HOPELESS: Final = 6  # by then a call is for a single node
_SHRINK: Final = 4


async def survey(config: Config, start: str = "", cursor: bytes = b"") -> AsyncIterator[Page]:
    """Pages of what lies below ``start``, or behind ``cursor``. A line that is lost is opened again; a call with
    which it is lost again and again is made smaller, until the culprit is alone and left out. Raises Retry when the
    server is not there at all, NeedsHuman and Invalid at once."""
    walk = Walk.resumed(cursor) if cursor else Walk(start)
    away = losses = 0
    while True:
        walking = False
        try:
            async with session(config) as opened:
                with opened.explained():
                    profile = _smaller(await profile_of(opened, config.profile), losses)
                    walking, away = True, 1
                    async for page in walk.pages(opened, profile):
                        losses = 0
                        yield page
                return
        except Retry as error:
            away, losses = away + 1, losses + walking
            if (away == 1 and not cursor) or away > MOST_TRIES or losses > MOST_LOSSES:
                raise
            log.info("browse goes on after a lost line", endpoint=config.endpoint, because=str(error))
        if walking and losses > HOPELESS:
            found = walk.skip(quality.BAD_NO_COMMUNICATION)
            if found is not None:
                yield Page([found], walk.cursor)
        await anyio.sleep(PAUSE)


def _smaller(profile: Profile, losses: int) -> Profile:
    """After losses: smaller calls that do not grow, one at a time."""
    if not losses:
        return profile
    by = _SHRINK**losses
    return msgspec.structs.replace(
        profile,
        browse=math.ceil(profile.browse / by),
        read=math.ceil(profile.read / by),
        growth=1,
        workers=1,
    )
