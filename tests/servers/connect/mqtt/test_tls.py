"""Encrypted connections: a trusted authority, and one that is not."""

import datetime as dt
import ipaddress

import anyio
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from servers.connect.mqtt.broker import running

from weft.connect.mqtt import Config, Mqtt
from weft.runtime import NeedsHuman, Retry

pytestmark = pytest.mark.anyio


@pytest.fixture
def listener(tmp_path):
    """Mosquitto's settings for a listener with a certificate of its own authority, ``tmp_path/ca.pem``."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "broker")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (tmp_path / "ca.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (tmp_path / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return f"certfile {tmp_path}/ca.pem\nkeyfile {tmp_path}/key.pem"


async def test_the_authority_decides(tmp_path, listener):
    async with running(tmp_path, listener=listener) as broker:
        with anyio.fail_after(20):
            trusted = Config(host="127.0.0.1", port=broker.port, ca=f"{tmp_path}/ca.pem")
            assert "TLS" in await Mqtt(trusted).probe()
            with pytest.raises(NeedsHuman, match="not trusted"):
                await Mqtt(Config(host="127.0.0.1", port=broker.port, tls=True)).probe()
            with pytest.raises(NeedsHuman, match="cannot be read"):
                await Mqtt(Config(host="127.0.0.1", port=broker.port, ca=f"{tmp_path}/none.pem")).probe()
            with pytest.raises(Retry):
                await Mqtt(Config(host="127.0.0.1", port=broker.port, timeout=1)).probe()
