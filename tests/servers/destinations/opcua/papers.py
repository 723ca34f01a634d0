"""Certificates of every kind, good and bad."""

from datetime import UTC, datetime, timedelta
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

URI = "urn:test:client"
DAY = timedelta(days=1)


@cache
def key_of(name, bits=2048):
    """Keys are made once: they take the longest."""
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def name_of(common):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def usage(authority):
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=not authority,
        key_encipherment=not authority,
        data_encipherment=not authority,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )


class Paper:
    """A certificate and its key."""

    def __init__(self, certificate, key):
        self.certificate = certificate
        self.key = key

    @property
    def der(self):
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def certificate_pem(self):
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def pem(self):
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    def write(self, folder, name):
        """As files; their paths."""
        folder.mkdir(exist_ok=True)
        certificate, key = folder / f"{name}.der", folder / f"{name}.pem"
        certificate.write_bytes(self.der)
        key.write_bytes(self.pem)
        return certificate, key


class Authority(Paper):
    def __init__(self, common="Test CA", key="ca", above=None):
        mine = key_of(key)
        issuer = above or self
        identifier = x509.SubjectKeyIdentifier.from_public_key(mine.public_key())
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(name_of(common))
            .issuer_name(name_of(common) if above is None else above.certificate.subject)
            .public_key(mine.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - 10 * DAY)
            .not_valid_after(now + 100 * DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=1), critical=True)
            .add_extension(usage(True), critical=True)
            .add_extension(identifier, critical=False)
        )
        super().__init__(builder.sign(mine if issuer is self else above.key, hashes.SHA256()), mine)

    def revocations(self, *revoked, signer=None, days=30):
        """The revocation list, DER."""
        now = datetime.now(UTC)
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.certificate.subject)
            .last_update(now - 2 * DAY if days < 0 else now)
            .next_update(now + days * DAY)
            .add_extension(x509.CRLNumber(1), critical=False)
        )
        for paper in revoked:
            one = x509.RevokedCertificateBuilder().serial_number(paper.certificate.serial_number)
            builder = builder.add_revoked_certificate(one.revocation_date(now).build())
        made = builder.sign((signer or self).key, hashes.SHA256())
        return made.public_bytes(serialization.Encoding.DER)


def leaf(
    issuer=None,
    *,
    common="Test client",
    key="client",
    bits=2048,
    uri=URI,
    purposes=(ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH),
    begin=-1,
    end=50,
):
    """An application's certificate; self-signed without an issuer. ``begin`` and ``end`` in days from now."""
    mine = key_of(key, bits)
    identifier = x509.SubjectKeyIdentifier.from_public_key(mine.public_key())
    authority = (issuer.key if issuer else mine).public_key()
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name_of(common))
        .issuer_name(issuer.certificate.subject if issuer else name_of(common))
        .public_key(mine.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + begin * DAY)
        .not_valid_after(now + end * DAY)
        .add_extension(
            x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri), x509.DNSName("localhost")]),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage(False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
        .add_extension(identifier, critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority), critical=False)
    )
    return Paper(builder.sign(issuer.key if issuer else mine, hashes.SHA256()), mine)
