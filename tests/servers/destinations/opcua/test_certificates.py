"""The certificate table: twelve kinds of clients, two stacks, three policies; each gets exactly one status."""

import json

import pytest
from asyncua import Client, ua
from asyncua.crypto import security_policies
from cryptography.x509.oid import ExtendedKeyUsageOID
from servers.destinations.opcua import papers

pytestmark = pytest.mark.anyio

POLICIES = ("Basic256Sha256", "Aes128Sha256RsaOaep", "Aes256Sha256RsaPss")
NODE_NAMES = ("Basic256Sha256", "Aes128_Sha256_RsaOaep", "Aes256_Sha256_RsaPss")
SERVER_ONLY = (ExtendedKeyUsageOID.SERVER_AUTH,)
NOTHING = "nothing"

EXPECTED = {
    "issued by the trusted authority": "Good",
    "self-signed and trusted": "Good",
    "self-signed and unknown": "BadCertificateUntrusted",
    "expired": "BadCertificateTimeInvalid",
    "not yet valid": "BadCertificateTimeInvalid",
    "revoked": "BadCertificateRevoked",
    "a rogue authority of the same name": "BadCertificateUntrusted",
    "another ApplicationUri": "BadCertificateUriInvalid",
    "for servers only": "BadCertificateUseNotAllowed",
    "1024 bits": "BadCertificatePolicyCheckFailed",
    "trusted, shows no certificate": "BadSecurityChecksFailed",
    "trusted, shows another's certificate": "BadSecurityChecksFailed",
    "unknown, shows no certificate": "BadCertificateUntrusted",
    "unknown, shows another's certificate": "BadCertificateUntrusted",
    "without security": "BadSecurityPolicyRejected",
}


class Case:
    def __init__(self, paper, shown="", policy=None):
        self.paper, self.shown, self.policy = paper, shown, policy


def cases(folder):
    """Each kind of client; ``folder`` becomes a trust store that knows some of them."""
    authority, rogue = papers.Authority(), papers.Authority(key="rogue")
    good, mine = papers.leaf(authority), papers.leaf(common="Mine", key="mine")
    unknown, revoked = papers.leaf(common="Stranger", key="stranger"), papers.leaf(authority, key="revoked")
    trusted = folder / "trusted"
    trusted.mkdir(parents=True)
    (trusted / "ca.der").write_bytes(authority.der)
    (trusted / "ca.crl").write_bytes(authority.revocations(revoked))
    # A list in the authority's name that it did not sign: whom it names is not revoked.
    (trusted / "rogue.crl").write_bytes(authority.revocations(good, signer=rogue))
    (trusted / "mine.der").write_bytes(mine.der)
    kinds = (
        Case(good),
        Case(mine),
        Case(unknown),
        Case(papers.leaf(authority, key="old", begin=-5, end=-1)),
        Case(papers.leaf(authority, key="young", begin=1)),
        Case(revoked),
        Case(papers.leaf(rogue, key="rogue's")),
        Case(papers.leaf(authority, uri="urn:somebody:else", key="uri")),
        Case(papers.leaf(authority, purposes=SERVER_ONLY, key="purpose")),
        Case(papers.leaf(authority, bits=1024, key="weak")),
        Case(mine, NOTHING),
        Case(mine, good),
        Case(unknown, NOTHING),
        Case(unknown, good),
        Case(good, policy="None"),
    )
    return dict(zip(EXPECTED, kinds, strict=True))


async def attempt(url, case, policy, files, password):
    client = Client(url, timeout=10)
    client.application_uri = papers.URI
    client.set_user("mes")
    client.set_password(password)
    try:
        if case.policy is None:
            found = getattr(security_policies, f"SecurityPolicy{policy}")
            await client.set_security(found, *map(str, files))
        if case.shown:
            shown = None if case.shown is NOTHING else case.shown.der
            create = client.uaclient.create_session

            def tampered(parameters):
                parameters.ClientCertificate = shown
                return create(parameters)

            client.uaclient.create_session = tampered
        async with client:
            await client.get_node("ns=2;s=Acme/Ulm/Milling/Mill 1/Load").read_value()
    except ua.UaStatusCodeError as error:
        return ua.StatusCode(error.code).name
    return "Good"


async def test_every_kind_of_client_gets_its_status_from_asyncua(kit, tmp_path):
    table, plant = cases(tmp_path / "pki"), kit.plant(tmp_path / "feed")
    async with kit.serving(plant, kit.config(certificates=str(tmp_path / "pki"))) as server:
        for policy in POLICIES:
            found = {
                name: await attempt(
                    server.url, case, policy, case.paper.write(tmp_path / "files", f"{i}"), kit.PASSWORD
                )
                for i, (name, case) in enumerate(table.items())
            }
            assert found == EXPECTED, policy
    stranger = table["self-signed and unknown"].paper.der
    assert stranger in [path.read_bytes() for path in (tmp_path / "pki" / "rejected").iterdir()]


async def test_every_kind_of_client_gets_its_status_from_node_opcua(kit, tmp_path, needs_node):
    table, plant = cases(tmp_path / "pki"), kit.plant(tmp_path / "feed")
    good, _ = table["issued by the trusted authority"].paper.write(tmp_path / "files", "good")
    asked = []
    for policy in NODE_NAMES:
        for i, (name, case) in enumerate(table.items()):
            _, key = case.paper.write(tmp_path / "files", f"{i}")
            pem = tmp_path / "files" / f"{i}.crt"
            pem.write_bytes(case.paper.certificate_pem)
            asked.append(
                {
                    "name": f"{policy}: {name}",
                    "certificate": str(pem),
                    "key": str(key),
                    "policy": case.policy or policy,
                    "shown": str(good) if case.shown not in ("", NOTHING) else case.shown,
                    "uri": papers.URI,
                    "password": kit.PASSWORD,
                }
            )
    (tmp_path / "cases.json").write_text(json.dumps(asked))
    async with kit.serving(plant, kit.config(certificates=str(tmp_path / "pki"))) as server:
        found = dict(
            await kit.node(
                "judge.js", "--cases", tmp_path / "cases.json", "--url", server.url, "--folder", tmp_path
            )
        )
    expected = EXPECTED | {"without security": "NotOffered"}  # it asks for the endpoints first
    assert found == {f"{policy}: {name}": expected[name] for policy in NODE_NAMES for name in expected}


async def test_a_list_that_is_absent_or_out_of_date_lets_nobody_in(kit, tmp_path):
    authority = papers.Authority()
    (tmp_path / "pki" / "trusted").mkdir(parents=True)
    (tmp_path / "pki" / "trusted" / "ca.der").write_bytes(authority.der)
    case, plant = Case(papers.leaf(authority)), kit.plant(tmp_path / "feed")
    files = case.paper.write(tmp_path / "files", "one")
    async with kit.serving(plant, kit.config(certificates=str(tmp_path / "pki"))) as server:

        async def status():
            return await attempt(server.url, case, POLICIES[0], files, kit.PASSWORD)

        assert await status() == "BadCertificateRevocationUnknown"
        crl = tmp_path / "pki" / "trusted" / "ca.crl"
        crl.write_bytes(authority.revocations(days=-1))
        assert await status() == "BadCertificateRevocationUnknown"
        crl.write_bytes(authority.revocations())
        assert await status() == "Good"  # what a person puts there counts at once


async def test_a_chain_over_an_issuer_that_is_known_but_not_trusted_itself(kit, tmp_path):
    root = papers.Authority("Root", "ca")
    middle = papers.Authority("Middle", "middle", above=root)
    (tmp_path / "pki" / "trusted").mkdir(parents=True)
    (tmp_path / "pki" / "issuers").mkdir()
    (tmp_path / "pki" / "trusted" / "root.der").write_bytes(root.der)
    (tmp_path / "pki" / "trusted" / "root.crl").write_bytes(root.revocations())
    (tmp_path / "pki" / "issuers" / "middle.crl").write_bytes(middle.revocations())
    case, plant = Case(papers.leaf(middle)), kit.plant(tmp_path / "feed")
    files = case.paper.write(tmp_path / "files", "one")
    async with kit.serving(plant, kit.config(certificates=str(tmp_path / "pki"))) as server:
        assert await attempt(server.url, case, POLICIES[0], files, kit.PASSWORD) == "BadCertificateUntrusted"
        (tmp_path / "pki" / "issuers" / "middle.der").write_bytes(middle.der)
        assert await attempt(server.url, case, POLICIES[0], files, kit.PASSWORD) == "Good"
