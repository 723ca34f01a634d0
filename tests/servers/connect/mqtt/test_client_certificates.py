"""Brokers that ask for a certificate of ours, in both versions of MQTT."""

import datetime as dt
import ipaddress

import anyio
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from servers.connect.mqtt.broker import running

from weft.connect.api import Point, Write
from weft.connect.mqtt import Address, Config, Mqtt
from weft.connect.testing import Recorder
from weft.runtime import NeedsHuman, Retry

pytestmark = pytest.mark.anyio

VALUE = Point(1, "value", Address(topic="line/value", write_topic="line/value"))


class Authority:
    """A certificate authority of the test, with its files in ``folder``."""

    def __init__(self, folder, name):
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.file = self._save(f"{name}.pem", self._certificate(self._name, self._key, ca=True))

    def issue(self, name):
        """(certificate, key): files of a certificate for ``name`` on the loopback address."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = self._save(f"{name}-cert.pem", self._certificate(subject, key, ca=False))
        path = self._folder / f"{name}-key.pem"
        path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return certificate, str(path)

    def _certificate(self, subject, key, *, ca):
        now = dt.datetime.now(dt.UTC)
        address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=1))
            .add_extension(address, critical=False)
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .sign(self._key, hashes.SHA256())
        )

    def _save(self, name, certificate):
        path = self._folder / name
        path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        return str(path)


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path, "plant")


@pytest.fixture
def listener(authority):
    certificate, key = authority.issue("broker")
    return (
        f"cafile {authority.file}\ncertfile {certificate}\nkeyfile {key}\nrequire_certificate true\n"
        "use_identity_as_username true"
    )


@pytest.mark.parametrize("version", ["3.1.1", "5"])
async def test_our_certificate_signs_us_in(tmp_path, authority, listener, version):
    certificate, key = authority.issue("weft")
    (tmp_path / "acl").write_text("user weft\ntopic readwrite line/#\n")
    settings = f"allow_anonymous false\nacl_file {tmp_path}/acl"
    async with running(tmp_path, settings, listener) as broker, anyio.create_task_group() as group:
        config = Config(
            host="127.0.0.1", port=broker.port, version=version, ca=authority.file, certificate=certificate,
            key=key,
        )  # fmt: skip
        connector, link = Mqtt(config), Recorder([VALUE])
        group.start_soon(connector.run, link)
        await link.until(lambda: bool(link.details))
        assert await connector.write([Write(VALUE, 42)]) == [0]
        await link.until(lambda: bool(link.rows))
        group.cancel_scope.cancel()
    assert link.rows[0].value == 42


async def test_no_certificate_or_another_authority_s_is_refused(tmp_path, authority, listener):
    stranger, key = Authority(tmp_path, "elsewhere").issue("stranger")
    async with running(tmp_path, "allow_anonymous false", listener) as broker:
        to_broker = {"host": "127.0.0.1", "port": broker.port, "ca": authority.file, "timeout": 2}
        with anyio.fail_after(20):
            with pytest.raises((NeedsHuman, Retry)):
                await Mqtt(Config(**to_broker)).probe()
            with pytest.raises((NeedsHuman, Retry)):
                await Mqtt(Config(**to_broker, certificate=stranger, key=key)).probe()
            with pytest.raises(NeedsHuman, match="cannot be read"):
                await Mqtt(Config(**to_broker, certificate=f"{tmp_path}/none")).probe()
