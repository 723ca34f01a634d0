"""What can go wrong with a server, told by what to do about it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from asyncua.ua.uaerrors import UaError, UaStatusCodeError
from cryptography.exceptions import InvalidSignature

from weft.connect.opcua.channel import Dialogue
from weft.runtime import NeedsHuman, Retry, WeftError
from weft.ua.guard import FAULTS
from weft.ua.stack import ua

__all__ = ["LOSSES", "explained", "first_of", "has_no_subscriptions", "status_text"]

LOSSES: Final = (*FAULTS, OSError, EOFError, InvalidSignature)
"""All that asyncua raises when a line is lost or a peer misbehaves (TimeoutError is an OSError)."""

_LOGIN: Final = {
    "BadUserAccessDenied",
    "BadIdentityTokenInvalid",
    "BadIdentityTokenRejected",
    "BadUserSignatureInvalid",
}
_SECURITY: Final = {
    "BadApplicationSignatureInvalid",
    "BadNonceInvalid",
    "BadSecurityChecksFailed",
    "BadSecurityModeInsufficient",
    "BadSecurityModeRejected",
    "BadSecurityPolicyRejected",
}
_NO_SUBSCRIPTIONS: Final = {
    ua.StatusCodes.BadServiceUnsupported,
    ua.StatusCodes.BadNotImplemented,
    ua.StatusCodes.BadNotSupported,
    ua.StatusCodes.BadTooManySubscriptions,
    ua.StatusCodes.BadTooManyMonitoredItems,
}


@contextmanager
def explained(endpoint: str, dialogue: Dialogue) -> Iterator[None]:
    """Turns what happens inside into Retry or NeedsHuman."""
    try:
        yield
    except WeftError:
        raise
    except UaStatusCodeError as error:
        # The transport's error message says more than the code that asyncua makes of it.
        told = dialogue.fault.removeprefix("error ") if dialogue.fault.startswith("error ") else ""
        raise _refused(endpoint, told or status_text(int(error.code))) from error
    except InvalidSignature as error:
        raise NeedsHuman(
            f"{endpoint} did not prove that it holds the key of its certificate.",
            remedy="Check that the address is right and nobody stands in between.",
        ) from error
    except LOSSES as error:
        raise _lost(endpoint, dialogue.fault, error) from error


def _lost(endpoint: str, fault: str, error: BaseException) -> WeftError:
    if fault.startswith("error "):
        return _refused(endpoint, fault.removeprefix("error "))
    if fault:
        return Retry(f"{endpoint} sent {fault}; the connection was closed.")
    if isinstance(error, TimeoutError):
        return Retry(f"{endpoint} did not answer in time.")
    if isinstance(error, ConnectionRefusedError):
        return Retry(f"Nobody listens at {endpoint}.", remedy="Is the server running, the port right?")
    if isinstance(error, OSError):
        return Retry(f"The connection to {endpoint} was lost ({error}).")
    if isinstance(error, UaError) and "No matching endpoint" in str(error):
        return NeedsHuman(
            f"{endpoint} does not offer the security that is asked for.",
            remedy="`weft browse` shows what it offers; set `security` and `policy` to one of these.",
        )
    what = type(error).__name__
    return Retry(f"{endpoint} sent something that cannot be read ({what}: {str(error)[:120]}).")


def _refused(endpoint: str, name: str) -> WeftError:
    code = name.partition(" ")[0]
    if code in _LOGIN:
        return NeedsHuman(f"{endpoint} refused the user ({code}).", remedy="Check `user` and `password`.")
    if code in _SECURITY or code.startswith("BadCertificate"):
        return NeedsHuman(
            f"{endpoint} refused the secure connection ({name}).",
            remedy="Usually it does not trust Weft's certificate yet: accept it on the server "
            "(its list of rejected certificates), file own/certificate.der of `certificates`.",
        )
    return Retry(f"{endpoint} answered {name}.")


def status_text(code: int) -> str:
    """The symbolic name of any OPC UA status code."""
    return str(ua.StatusCode(code & 0xFFFF0000).name)


def has_no_subscriptions(error: BaseException | None) -> bool:
    """Whether a server says that there are none, or none left, for us."""
    return isinstance(error, UaStatusCodeError) and int(error.code) in _NO_SUBSCRIPTIONS


def first_of(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The error that ended a task group: one of ours that names the reaction, or else the first."""
    leaves: list[BaseException] = []
    todo: list[BaseException] = [group]
    while todo:
        error = todo.pop(0)
        if isinstance(error, BaseExceptionGroup):
            todo.extend(error.exceptions)
        else:
            leaves.append(error)
    faults = [error for error in leaves if not isinstance(error, WeftError)]
    return (faults or leaves)[0]
