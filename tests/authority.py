"""Certificates that an authority has signed, for tests."""

import ipaddress
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID


def usage(**true):
    names = (
        "digital_signature content_commitment key_encipherment data_encipherment key_agreement key_cert_sign "
        "crl_sign encipher_only decipher_only"
    ).split()
    return x509.KeyUsage(**{name: true.get(name, False) for name in names})


class Issuer:
    """An authority; ``Issuer("sub", of=root)`` is one below another."""

    def __init__(self, name, of=None, *, authority=True):
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        above = of or self
        builder = _builder(self.name, above.name, self.key, 365)
        builder = builder.add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        builder = builder.add_extension(usage(key_cert_sign=True, crl_sign=True), critical=True)
        self.certificate = builder.sign(above.key, hashes.SHA256())

    def server(self, uri="urn:peer:node", *, days=365, addresses=("127.0.0.1",), hosts=("localhost",)):
        """(certificate, key)"""
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "server")])
        names = [
            x509.UniformResourceIdentifier(uri),
            *[x509.DNSName(host) for host in hosts],
            *[x509.IPAddress(ipaddress.ip_address(address)) for address in addresses],
        ]
        allowed = usage(
            digital_signature=True, content_commitment=True, key_encipherment=True, data_encipherment=True
        )
        purposes = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        builder = _builder(name, self.name, key, days)
        for extension, critical in (
            (x509.SubjectAlternativeName(names), False),
            (x509.BasicConstraints(ca=False, path_length=None), True),
            (allowed, True),
            (x509.ExtendedKeyUsage(purposes), False),
        ):
            builder = builder.add_extension(extension, critical=critical)
        return builder.sign(self.key, hashes.SHA256()), key

    def revoke(self, *certificates):
        now = datetime.now(UTC)
        builder = x509.CertificateRevocationListBuilder(self.name, now, now + timedelta(days=30))
        for certificate in certificates:
            revoked = x509.RevokedCertificateBuilder(certificate.serial_number, now)
            builder = builder.add_revoked_certificate(revoked.build())
        return builder.sign(self.key, hashes.SHA256())


def der(*certificates):
    return b"".join(one.public_bytes(serialization.Encoding.DER) for one in certificates)


def pem(*certificates):
    return b"".join(one.public_bytes(serialization.Encoding.PEM) for one in certificates)


def key_pem(key):
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _builder(name, issuer, key, days):
    now = datetime.now(UTC)
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    return x509.CertificateBuilder(
        issuer,
        name,
        key.public_key(),
        x509.random_serial_number(),
        now - timedelta(days=2),
        now + timedelta(days=days),
    ).add_extension(identifier, critical=False)
