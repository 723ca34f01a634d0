"""The routes about the program itself: the way in, the sign of life, metrics."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Request, Response, Router, get, post
from litestar.datastructures import Cookie
from litestar.exceptions import HTTPException
from litestar.params import QueryParameter
from litestar.response import Redirect

from weft.runtime import metrics
from weft.web.access import SECOND, SESSION_LIFE, Access

__all__ = ["router"]


def router(access: Access) -> Router:
    """``/enter``, ``/leave``, ``/healthz`` and ``/metrics``."""

    @get("/enter", include_in_schema=False, sync_to_thread=False)
    def enter(
        request: Request[Any, Any, Any], key: Annotated[str, QueryParameter(max_length=200)] = ""
    ) -> Redirect:
        purpose = request.headers.get("sec-purpose", "") + request.headers.get("purpose", "")
        if "prefetch" in purpose:  # it would use the link up before anybody clicked
            raise HTTPException(status_code=409, detail="A link that works once is not for fetching ahead.")
        cookie = Cookie(
            key=access.cookie,
            value=access.enter(key),
            max_age=SESSION_LIFE // SECOND,
            path="/",
            httponly=True,
            samesite="lax",  # strict would turn people away who come by a link in a mail or a chat
            secure=request.url.scheme == "https",
        )
        return Redirect("/", status_code=303, cookies=[cookie])

    @post("/leave", include_in_schema=False, sync_to_thread=False, status_code=303)
    def leave(request: Request[Any, Any, Any]) -> Redirect:
        access.leave(request.headers)
        return Redirect("/", status_code=303)

    @get("/healthz", summary="Sign of life", sync_to_thread=False, media_type="text/plain")
    def healthz() -> str:
        """Answers while the program handles requests; says nothing about the plant."""
        return "ok\n"

    @get("/metrics", summary="Metrics in Prometheus' text form", sync_to_thread=False)
    def exposition() -> Response[bytes]:
        return Response(metrics.exposition(), media_type="text/plain; version=0.0.4")

    return Router("/", route_handlers=[enter, leave, healthz, exposition], tags=["operations"])
