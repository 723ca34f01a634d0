"""The way in: whom to trust, how to reach the server, who we are there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio.to_thread
from asyncua.client.client import _first_cert_from_chain
from asyncua.common.utils import Buffer
from asyncua.crypto import security_policies
from asyncua.ua.ua_binary import nodeid_from_binary, nodeid_to_binary
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from weft.connect.opcua import reverse, trust
from weft.connect.opcua.channel import Dialogue
from weft.connect.opcua.config import Config
from weft.connect.opcua.faults import explained
from weft.connect.opcua.memory import Facts
from weft.runtime import NeedsHuman
from weft.ua import certificate
from weft.ua.stack import ua

__all__ = ["discover", "log_in", "policies_of", "reach", "restore", "secure", "token_of"]


async def discover(config: Config) -> list[Any]:
    """What the server offers, asked without security and without a session. Raises Retry or NeedsHuman."""
    dialogue = Dialogue(config.endpoint, config.timeout)
    with explained(config.endpoint, dialogue):
        await reach(config, dialogue)
        try:
            await dialogue.send_hello()
            await dialogue.open_secure_channel()
            return list(await dialogue.get_endpoints())
        finally:
            dialogue.disconnect_socket()


async def reach(config: Config, dialogue: Dialogue) -> None:
    """Dials the server, or takes the call that it makes."""
    if config.listen:
        await reverse.answer(config, dialogue)
    else:
        await dialogue.connect_socket()


async def secure(config: Config, dialogue: Dialogue) -> list[str]:
    """Decides on trust and sets up the channel's security; what people should know of the certificates."""
    if config.security == "none":
        dialogue.application_uri = "urn:weft"
        return []
    identity = await anyio.to_thread.run_sync(certificate.own_identity, config.folder)
    policy = getattr(security_policies, f"SecurityPolicy{config.policy}")
    mode = ua.MessageSecurityMode[config.security]
    shown = trust.pinned(config) if config.server_certificate else None
    if shown is None:
        endpoint = Dialogue.find_endpoint(await discover(config), mode, policy.URI)
        chain = endpoint.ServerCertificate or b""
        shown = _first_cert_from_chain(chain)
        await anyio.to_thread.run_sync(trust.trust, config, chain)
    dialogue.application_uri = identity.uri
    server: Any = x509.load_der_x509_certificate(shown)
    dialogue.security_policy = policy(server, identity.certificate, identity.key, mode)
    dialogue.uaclient.set_security(dialogue.security_policy)
    return trust.expiries(
        {"the server's certificate": server, "Weft's own certificate": identity.certificate}
    )


async def log_in(config: Config, dialogue: Dialogue) -> None:
    """Activates the session as whom the configuration names."""
    if config.user_certificate:
        await _log_in_by_certificate(config, dialogue)
    elif config.user:
        await _log_in_by_password(config, dialogue)
    else:
        await dialogue.activate_session()


async def _log_in_by_password(config: Config, dialogue: Dialogue) -> None:
    policy = dialogue.server_policy(ua.UserTokenType.UserName)
    readable = policy.SecurityPolicyUri in (None, "", security_policies.SecurityPolicyNone.URI)
    if readable and config.security != "SignAndEncrypt" and not config.password_in_clear:
        raise NeedsHuman(
            f"The password would travel to {config.endpoint} readable for everybody on the way.",
            remedy='Use security = "SignAndEncrypt", or say password_in_clear = true.',
        )
    await dialogue.activate_session(config.user, config.secret())


async def _log_in_by_certificate(config: Config, dialogue: Dialogue) -> None:
    """A user's X.509 token: the certificate, and a signature with its key (OPC 10000-4, 7.40.5)."""
    policy = dialogue.server_policy(ua.UserTokenType.Certificate)
    if policy.SecurityPolicyUri in (None, "", security_policies.SecurityPolicyNone.URI):
        raise NeedsHuman(
            f"{config.endpoint} takes no certificate of a user on this endpoint.",
            remedy='Use security = "SignAndEncrypt", or log in by `user` and `password`.',
        )
    known, key = await anyio.to_thread.run_sync(_user_files, config)
    dialogue.user_private_key = key
    await dialogue.activate_session(certificate=known)


def _user_files(config: Config) -> tuple[x509.Certificate, Any]:
    try:
        raw = Path(config.user_certificate).expanduser().read_bytes()
        key = Path(config.user_key).expanduser().read_bytes()
        return (
            trust.read_certificate(raw),
            serialization.load_pem_private_key(key, None)
            if key.lstrip().startswith(b"-----")
            else serialization.load_der_private_key(key, None),
        )
    except (OSError, ValueError, TypeError) as error:
        raise NeedsHuman(
            f"The user's certificate for {config.endpoint} cannot be read ({type(error).__name__}).",
            remedy="`user_certificate` and `user_key` name DER or PEM files; the key is not encrypted.",
        ) from error


def token_of(dialogue: Dialogue) -> bytes:
    """The authentication token, a secret."""
    return bytes(nodeid_to_binary(dialogue.uaclient.session.authentication_token))


def policies_of(dialogue: Dialogue) -> list[tuple[str, int, str]]:
    """The server's logins: id, token type, security policy."""
    return [
        (policy.PolicyId or "", int(policy.TokenType), policy.SecurityPolicyUri or "")
        for policy in dialogue._policy_ids or []  # noqa: SLF001  # kept by asyncua from CreateSession only
    ]


def restore(dialogue: Dialogue, facts: Facts) -> None:
    """As if this dialogue had created the session."""
    dialogue.nonce = facts.nonce
    dialogue._policy_ids = [  # noqa: SLF001  # see policies_of
        ua.UserTokenPolicy(PolicyId=name, TokenType=ua.UserTokenType(kind), SecurityPolicyUri=uri or None)
        for name, kind, uri in facts.policies
    ]
    dialogue.uaclient.session.restore_authentication_token(nodeid_from_binary(Buffer(facts.token)))
