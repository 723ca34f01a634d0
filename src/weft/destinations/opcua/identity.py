"""Who a session belongs to: passwords and certificates of users, checked against what the client proved
(OPC 10000-4, 5.6.3 and 7.40)."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections import OrderedDict
from typing import Any, Final, NamedTuple

from asyncua.crypto import security_policies, uacrypto
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from weft.destinations.opcua.channel import NO_SECURITY, Channel
from weft.destinations.opcua.codes import Refused, code
from weft.destinations.opcua.pipe import Login
from weft.ua.guard import FAULTS
from weft.ua.stack import ua

__all__ = ["Gate", "User", "verify"]

_FAILURES: Final = 5
_PAUSE: Final = 30.0  # s after so many wrong passwords, for that user from that address
_REMEMBERED: Final = 10_000
_LONGEST: Final = 1024
_NOBODY: Final = hashlib.sha256(b"").digest()
_POLICIES: Final = {
    policy.URI: policy
    for policy in (
        security_policies.SecurityPolicyBasic256Sha256,
        security_policies.SecurityPolicyAes128Sha256RsaOaep,
        security_policies.SecurityPolicyAes256Sha256RsaPss,
    )
}
_DECRYPT: Final[dict[str, Any]] = {
    "http://www.w3.org/2001/04/xmlenc#rsa-oaep": uacrypto.decrypt_rsa_oaep,
    "http://opcfoundation.org/UA/security/rsa-oaep-sha2-256": uacrypto.decrypt_rsa_oaep_sha256,
}
_VERIFY: Final[dict[str, Any]] = {
    "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256": uacrypto.verify_sha256,
    "http://opcfoundation.org/UA/security/rsa-pss-sha2-256": uacrypto.verify_pss_sha256,
}
_CRYPTO_FAULTS: Final = (*FAULTS, InvalidSignature, UnicodeDecodeError, OverflowError)


class User(NamedTuple):
    """``actor`` is who asks for a command, as it is written down."""

    name: str
    actor: str
    write: bool


class Proof(NamedTuple):
    """What the client must prove: it holds ``nonce``, it speaks to the owner of ``server`` (DER)."""

    nonce: bytes
    server: bytes
    address: str


class Gate:
    """``anonymous``: also who names no user may read."""

    def __init__(self, logins: list[Login], key: rsa.RSAPrivateKey, *, anonymous: bool) -> None:
        self.anonymous = anonymous
        self._logins = {login.name: login for login in logins}
        self._by_certificate = {login.certificate: login for login in logins if login.certificate}
        self._key = key
        self._failures: OrderedDict[tuple[str, str], tuple[int, float]] = OrderedDict()

    @property
    def passwords(self) -> bool:
        return any(login.secret for login in self._logins.values())

    @property
    def certificates(self) -> bool:
        return bool(self._by_certificate)

    def enter(self, token: Any, signature: Any, channel: Channel, proof: Proof) -> User:
        """The user of an identity token. Raises Refused."""
        if isinstance(token, ua.UserNameIdentityToken):
            return self._by_password(token, channel, proof)
        if isinstance(token, ua.X509IdentityToken):
            return self._by_x509(token, signature, channel, proof)
        nobody = isinstance(token, ua.ExtensionObject) and token.TypeId == ua.NodeId(ua.ObjectIds.Null)
        if token is None or nobody or isinstance(token, ua.AnonymousIdentityToken):
            if not self.anonymous:
                raise Refused(code.BadIdentityTokenRejected, "nobody may come without a name")
            return User("", _at("anonymous", channel), False)
        raise Refused(code.BadIdentityTokenInvalid, "an identity token of an unknown kind")

    def _by_password(self, token: Any, channel: Channel, proof: Proof) -> User:
        name = str(token.UserName or "")
        who = (name[:_LONGEST], proof.address)
        count, until = self._failures.get(who, (0, 0.0))
        if count >= _FAILURES and time.monotonic() < until:
            raise Refused(code.BadUserAccessDenied, f"too many wrong passwords for {name[:80]!r}")
        given = hashlib.sha256(self._password(token, channel, proof)).digest()
        login = self._logins.get(name)
        secret = login.secret if login is not None and login.secret else _NOBODY
        right = hmac.compare_digest(given, secret)
        if login is None or not login.secret or not right:
            self._failures[who] = (count + 1, time.monotonic() + _PAUSE)
            self._failures.move_to_end(who)
            while len(self._failures) > _REMEMBERED:
                self._failures.popitem(last=False)
            raise Refused(code.BadUserAccessDenied, f"unknown user or wrong password: {name[:80]!r}")
        self._failures.pop(who, None)
        return User(name, _at(name, channel), login.write)

    def _password(self, token: Any, channel: Channel, proof: Proof) -> bytes:
        """The password's bytes; enciphered unless the channel encrypts (7.40.2.2)."""
        secret = token.Password or b""
        secret = secret if isinstance(secret, bytes) else str(secret).encode()
        if not token.EncryptionAlgorithm:
            if not channel.encrypts:
                raise Refused(code.BadIdentityTokenInvalid, "the password came in the clear")
            return secret
        decrypt = _DECRYPT.get(token.EncryptionAlgorithm)
        if decrypt is None:
            raise Refused(
                code.BadIdentityTokenInvalid, "the password is enciphered in a way that is not offered"
            )
        try:
            clear = decrypt(self._key, secret)
        except _CRYPTO_FAULTS as error:
            raise Refused(code.BadIdentityTokenInvalid, "the password cannot be deciphered") from error
        size = int.from_bytes(clear[:4], "little")
        inner, nonce = clear[4 : 4 + size - len(proof.nonce)], clear[4 + size - len(proof.nonce) : 4 + size]
        if size < len(proof.nonce) or not hmac.compare_digest(nonce, proof.nonce):
            raise Refused(code.BadIdentityTokenInvalid, "the password was not enciphered for this session")
        return bytes(inner)

    def _by_x509(self, token: Any, signature: Any, channel: Channel, proof: Proof) -> User:
        der = token.CertificateData or b""
        login = self._by_certificate.get(hashlib.sha256(der).digest())
        if login is None:
            raise Refused(code.BadUserAccessDenied, "a user certificate that nobody was given")
        try:
            certificate = x509.load_der_x509_certificate(der)
            verify(certificate, signature, proof.server + proof.nonce)
        except Refused as error:
            raise Refused(code.BadUserSignatureInvalid, error.reason) from error
        except ValueError as error:
            raise Refused(code.BadIdentityTokenInvalid, "no usable certificate") from error
        return User(login.name, _at(login.name, channel), login.write)


def verify(certificate: x509.Certificate, signature: Any, data: bytes) -> None:
    """Raises Refused when ``signature`` is not that certificate's over ``data``, or made with a weak algorithm."""
    check = _VERIFY.get(signature.Algorithm or "")
    if check is None or not signature.Signature:
        raise Refused(code.BadApplicationSignatureInvalid, "it is not signed as it must be")
    try:
        check(certificate, data, signature.Signature)
    except _CRYPTO_FAULTS as error:
        raise Refused(code.BadApplicationSignatureInvalid, "the signature is wrong") from error


def token_policies(gate: Gate, uri: str) -> list[Any]:
    """How one may log in on an endpoint with this policy; secrets are always enciphered and signed."""
    strong = uri if uri != NO_SECURITY else security_policies.SecurityPolicyBasic256Sha256.URI
    found = []
    for wanted, kind, id, policy in (
        (gate.anonymous, ua.UserTokenType.Anonymous, "anonymous", ""),
        (gate.passwords, ua.UserTokenType.UserName, "username", strong),
        (gate.certificates, ua.UserTokenType.Certificate, "certificate", strong),
    ):
        if wanted:
            found.append(ua.UserTokenPolicy(PolicyId=id, TokenType=kind, SecurityPolicyUri=policy or None))
    return found


def _at(name: str, channel: Channel) -> str:
    """``name (application)``: also the application, as its certificate names it."""
    if channel.certificate is None:
        return name
    names = channel.certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return f"{name} ({str(names[0].value)[:80]})" if names else name
