"""Whose certificates are trusted (OPC 10000-4, 6.1.3), judged in full on our side: asyncua looks neither at the
channel's certificate nor at the signatures of revocation lists.

The folder: ``trusted/`` holds certificates of applications and of authorities whose applications are all trusted;
``issuers/`` authorities that are only links of a chain; either may hold revocation lists. ``rejected/`` is where
peers that were turned away are laid, to be moved by a person. DER or PEM. What is put there counts at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from weft.destinations.opcua.codes import Refused, code
from weft.runtime.files import write_private
from weft.ua.certificate import fingerprint

__all__ = ["Trust", "leaf_of"]

_MAX_FILE: Final = 1 << 20
_MAX_FILES: Final = 1000
_MAX_REJECTED: Final = 100
_LONGEST_CHAIN: Final = 5
_FEWEST_BITS: Final = 2048
_MOST_BITS: Final = 4096
_WEAK: Final = (hashes.MD5, hashes.SHA1)


class _Shelf(NamedTuple):
    trusted: list[x509.Certificate]
    issuers: list[x509.Certificate]
    lists: list[x509.CertificateRevocationList]


class Trust:
    """``rejected`` is told of a peer that is turned away for the first time."""

    def __init__(
        self,
        folder: Path,
        *,
        require_revocation_list: bool = True,
        rejected: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._folder = folder
        self._rejected = rejected
        self._strict = require_revocation_list
        for name in ("trusted", "issuers", "rejected"):
            (folder / name).mkdir(mode=0o700, parents=True, exist_ok=True)

    def judge(self, chain: Sequence[bytes]) -> x509.Certificate:
        """The first certificate of ``chain`` (DER), when it is good for a client. Raises Refused with the status
        of OPC 10000-4, table 100; one that a person could trust is laid into ``rejected/``."""
        try:
            certificate = x509.load_der_x509_certificate(chain[0])
            sent = [x509.load_der_x509_certificate(one) for one in chain[1:_LONGEST_CHAIN]]
            _check_strength(certificate)
            self._check_trust(certificate, sent)
            _check_time(certificate)
            _check_use(certificate)
        except Refused as refused:
            self._keep(chain[0], refused)
            raise
        except (ValueError, TypeError, x509.UnsupportedGeneralNameType) as error:
            raise Refused(code.BadCertificateInvalid, f"no usable certificate: {error}") from error
        return certificate

    def _check_trust(self, certificate: x509.Certificate, sent: list[x509.Certificate]) -> None:
        shelf = self._shelf()
        pinned = certificate in shelf.trusted
        chain = list(_issuers(certificate, [*shelf.trusted, *shelf.issuers, *sent]))
        if not pinned and not any(issuer in shelf.trusted for issuer in chain):
            raise Refused(code.BadCertificateUntrusted, "nobody said that it is trusted")
        below = certificate
        for issuer in chain:
            if issuer != certificate:
                _check_time(issuer, code.BadCertificateIssuerTimeInvalid)
            self._check_revoked(below, issuer, shelf.lists)
            below = issuer

    def _check_revoked(
        self,
        certificate: x509.Certificate,
        issuer: x509.Certificate,
        lists: list[x509.CertificateRevocationList],
    ) -> None:
        """Only a list that this issuer signed counts."""
        if certificate == issuer:
            return
        mine = [one for one in lists if one.issuer == issuer.subject and _signed(one, issuer)]
        if any(one.get_revoked_certificate_by_serial_number(certificate.serial_number) for one in mine):
            raise Refused(code.BadCertificateRevoked, "its authority has revoked it")
        now = datetime.now(UTC)
        current = [one for one in mine if one.next_update_utc is None or one.next_update_utc > now]
        if not current and self._strict:
            raise Refused(
                code.BadCertificateRevocationUnknown,
                "its authority's revocation list is absent or out of date",
            )

    def _shelf(self) -> _Shelf:
        """Read anew each time: a certificate that a person moved counts at once, and connections are rare."""
        shelf = _Shelf([], [], [])
        for name, certificates in (("trusted", shelf.trusted), ("issuers", shelf.issuers)):
            for raw in _files(self._folder / name):
                found = _read(raw)
                if isinstance(found, x509.Certificate):
                    certificates.append(found)
                elif found is not None:
                    shelf.lists.append(found)
        return shelf

    def _keep(self, der: bytes, refused: Refused) -> None:
        if refused.status != code.BadCertificateUntrusted:
            return
        folder = self._folder / "rejected"
        path = folder / f"{fingerprint(der).replace(':', '')}.der"
        refused.hint = f"SHA-256 {fingerprint(der)}; to trust it: mv '{path}' '{self._folder / 'trusted'}'"
        if not path.exists() and sum(1 for _ in folder.iterdir()) < _MAX_REJECTED:
            try:
                write_private(path, der)
            except OSError:
                return  # a full disk is no reason to let anybody in, nor to fall
            subject = x509.load_der_x509_certificate(der).subject.rfc4514_string()
            self._rejected(f"{subject[:200]}, {refused.hint}")


def leaf_of(data: bytes) -> list[bytes]:
    """The certificates of a chain as it is sent: DER after DER, the peer's own first. Raises Refused."""
    found: list[bytes] = []
    at = 0
    while at < len(data) and len(found) < _LONGEST_CHAIN:
        size = _der_size(data[at:])
        found.append(data[at : at + size])
        at += size
    if not found:
        raise Refused(code.BadCertificateInvalid, "it showed no certificate")
    return found


def _der_size(data: bytes) -> int:
    if len(data) >= 2 and data[0] == 0x30:
        if data[1] < 0x80:
            return 2 + data[1]
        count = data[1] & 0x7F
        size = 2 + count + int.from_bytes(data[2 : 2 + count], "big")
        if 1 <= count <= 3 and size <= len(data):
            return size
    raise Refused(code.BadCertificateInvalid, "what it showed is not a certificate")


def _issuers(certificate: x509.Certificate, known: list[x509.Certificate]) -> Iterator[x509.Certificate]:
    """Upwards; each one checked to have signed the one below and to be an authority."""
    below = certificate
    for _ in range(_LONGEST_CHAIN):
        above = next((one for one in known if one.subject == below.issuer and _issued(below, one)), None)
        if above is None:
            return
        yield above
        if above == below or above.subject == above.issuer:
            return
        below = above


def _issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        if certificate != issuer and not _is_authority(issuer):
            return False
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        basic = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound:
        return False
    return basic.ca


def _signed(revocations: x509.CertificateRevocationList, issuer: x509.Certificate) -> bool:
    key = issuer.public_key()
    return isinstance(key, rsa.RSAPublicKey) and revocations.is_signature_valid(key)


def _check_strength(certificate: x509.Certificate) -> None:
    key = certificate.public_key()
    if not isinstance(key, rsa.RSAPublicKey) or not _FEWEST_BITS <= key.key_size <= _MOST_BITS:
        raise Refused(code.BadCertificatePolicyCheckFailed, "its key must be RSA with 2048 to 4096 bits")
    if isinstance(certificate.signature_hash_algorithm, _WEAK):
        raise Refused(code.BadCertificatePolicyCheckFailed, "it is signed with a broken hash")


def _check_time(certificate: x509.Certificate, status: int = code.BadCertificateTimeInvalid) -> None:
    if not certificate.not_valid_before_utc <= datetime.now(UTC) <= certificate.not_valid_after_utc:
        raise Refused(status, f"{certificate.subject.rfc4514_string()} is not valid at this time")


def _check_use(certificate: x509.Certificate) -> None:
    extensions = certificate.extensions
    try:
        usage = extensions.get_extension_for_class(x509.KeyUsage).value
        purposes = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound as error:
        raise Refused(code.BadCertificateUseNotAllowed, "it does not say what it may be used for") from error
    if not (usage.digital_signature and usage.key_encipherment and usage.data_encipherment):
        raise Refused(code.BadCertificateUseNotAllowed, "its key may not sign and encrypt")
    if ExtendedKeyUsageOID.CLIENT_AUTH not in purposes:
        raise Refused(code.BadCertificateUseNotAllowed, "it is not for clients")


def _files(folder: Path) -> Iterator[bytes]:
    for path in sorted(folder.iterdir())[:_MAX_FILES]:
        try:
            if path.is_file() and path.stat().st_size <= _MAX_FILE:
                yield path.read_bytes()
        except OSError:
            continue  # it has just been moved


def _read(raw: bytes) -> x509.Certificate | x509.CertificateRevocationList | None:
    pem = raw.lstrip().startswith(b"-----")
    try:
        if pem and b"X509 CRL" in raw:
            return x509.load_pem_x509_crl(raw)
        return x509.load_pem_x509_certificate(raw) if pem else x509.load_der_x509_certificate(raw)
    except ValueError:
        pass
    try:
        return x509.load_der_x509_crl(raw)
    except ValueError:
        return None  # something else lies there
