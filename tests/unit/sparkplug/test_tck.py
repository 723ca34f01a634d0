"""The rules can fail: a good session is spoiled in one way after the other."""

import pathlib

import msgspec
import pytest

from weft.runtime import Invalid
from weft.sparkplug.decode import decode
from weft.sparkplug.encode import encode
from weft.sparkplug.payload import (
    Cell,
    DataSet,
    Metric,
    Parameter,
    Payload,
    PropertySet,
    PropertyValue,
    Template,
)
from weft.sparkplug.state import encode_state
from weft.sparkplug.tck import Entry, Verdict, check, known_ids, read_recording, write_recording
from weft.sparkplug.tck.packets import ClientStream
from weft.sparkplug.tck.page import page
from weft.sparkplug.tck.report import ADVICE, RULES
from weft.sparkplug.wire import BadPayload

MS = 1_767_225_600_000
ROOT = pathlib.Path(__file__).parents[3]


def metric(name, datatype, field, value, alias=None, **more):
    return Metric(name=name, alias=alias, timestamp=MS, datatype=datatype, field=field, value=value, **more)


def message(verb, metrics, seq=None, device="", **more):
    end = f"/{device}" if device else ""
    payload = encode(Payload(timestamp=MS, metrics=metrics, seq=seq))
    return {"topic": f"spBv1.0/G/{verb}/E{end}", "payload": payload, "retain": False, **more}


def bdseq(n):
    return metric("bdSeq", 4, 11, n)


def control(value=False):
    return metric("Node Control/Rebirth", 11, 14, value)


def quality():
    return PropertySet(["Quality"], [PropertyValue(3, None, 3, 192)])


def table():
    return DataSet(1, ["a"], [3], [[Cell(1, 7)]])


def motor(*, definition):
    member = metric("rpm", 9, 12, 1.5)
    parameter = Parameter("size", 3, 3, 1)
    return Template("1", [member], [parameter], None if definition else "Motor", definition)


def node_birth(n=0):
    level = metric("level", 10, 13, 1.5, 4)
    return [bdseq(n), control(), level, metric("Motor", 19, 18, motor(definition=True), 9)]


def device_birth():
    return [
        metric("speed", 10, 13, 1.5, 1, properties=quality()),
        metric("table", 16, 17, table(), 2),
        metric("motor", 19, 18, motor(definition=False), 3),
    ]


def data(alias, value):
    return Metric(alias=alias, timestamp=MS, field=13, value=value)


def good():
    """Two connections of one node, one of its host: as (what it is called, entry)."""
    found = []

    def add(name, client, kind="publish", **more):
        found.append(
            (name, Entry(time=MS * 10**6 + len(found) * 2 * 10**9, client=client, kind=kind, **more))
        )

    state = {"topic": "spBv1.0/STATE/P", "qos": 1, "retain": True}
    add("host", "h", "connect", payload=encode_state(online=False, timestamp=MS), clean=True, **state)
    add("host listens", "h", "subscribe", filters=("spBv1.0/STATE/P", "spBv1.0/#"), qos=1)
    add("online", "h", payload=encode_state(online=True, timestamp=MS), **state)
    for n in (0, 1):
        will = {**message("NDEATH", [bdseq(n)]), "qos": 1}
        add(f"edge {n}", "e", "connect", clean=True, **will)
        filters = ("spBv1.0/G/NCMD/E", "spBv1.0/G/DCMD/E/+", "spBv1.0/STATE/P")
        add(f"edge listens {n}", "e", "subscribe", filters=filters, qos=1)
        for again in ("", " again"):
            add(f"nbirth {n}{again}", "e", **message("NBIRTH", node_birth(n), 0))
            add(f"dbirth {n}{again}", "e", **message("DBIRTH", device_birth(), 1, "d"))
            add(f"ndata {n}{again}", "e", **message("NDATA", [data(4, 2.5)], 2))
            add(f"ddata {n}{again}", "e", **message("DDATA", [data(1, 2.5)], 3, "d"))
            if not again:
                add(f"dcmd {n}", "h", **message("DCMD", [data(1, 3.5)], device="d"))
                add(f"rebirth {n}", "h", **message("NCMD", [control(True)]))
        add(f"ddeath {n}", "e", **message("DDEATH", [], 4, "d"))
        add(f"ndeath {n}", "e", **{**message("NDEATH", [bdseq(n)]), "qos": 1})
        add(f"edge leaves {n}", "e", "disconnect")
    add("offline", "h", payload=encode_state(online=False, timestamp=MS + 80_000), **state)
    add("host leaves", "h", "disconnect")
    return found


def verdicts(entries):
    return {finding.id: finding.verdict for finding in check(entries)}


def failing(named):
    told = verdicts([entry for _, entry in named])
    return {name for name, verdict in told.items() if verdict in (Verdict.FAIL, Verdict.ADVISED)}


def test_the_good_session_is_good():
    assert failing(good()) <= {
        "tck-id-payloads-metric-datatype-not-req"
    }  # the rebirth request names its datatype
    assert sum(verdict is Verdict.PASS for verdict in verdicts([e for _, e in good()]).values()) > 230


def spoiled(name, change):
    return [(called, change(entry) if called == name else entry) for called, entry in good()]


def entry(**more):
    return lambda one: msgspec.structs.replace(one, **more)


def payload(change):
    def changed(one):
        found = decode(one.payload)
        change(found)
        return msgspec.structs.replace(one, payload=encode(found))

    return changed


def first(**more):
    def change(found):
        for name, value in more.items():
            setattr(found.metrics[0], name, value)

    return payload(change)


def set_on(pick, **more):
    def change(found):
        for name, value in more.items():
            setattr(pick(found), name, value)

    return payload(change)


CASES = [
    ("nbirth 0", entry(qos=1), "topics-nbirth-mqtt payloads-nbirth-qos message-flow-edge-node-birth-publish-nbirth-qos"),
    ("nbirth 0", entry(retain=True), "topics-nbirth-mqtt payloads-nbirth-retain"),
    ("nbirth 0", entry(payload=b"\xff"), "message-flow-edge-node-birth-publish-nbirth-payload payloads-nbirth-seq"),
    ("nbirth 0", set_on(lambda p: p, seq=3), "topics-nbirth-seq-num payloads-dbirth-seq-inc"),
    ("nbirth 0", set_on(lambda p: p, timestamp=None), "topics-nbirth-timestamp payloads-nbirth-timestamp"),
    ("nbirth 0", set_on(lambda p: p, timestamp=MS // 1000), "payloads-timestamp-in-UTC"),
    ("nbirth 0", first(value=9), "topics-nbirth-bdseq-matching payloads-nbirth-bdseq-repeat operational-behavior-data-commands-rebirth-action-3"),
    ("nbirth 0", first(name="x"), "topics-nbirth-bdseq-included payloads-nbirth-bdseq"),
    ("nbirth 0", set_on(lambda p: p.metrics[1], value=True), "topics-nbirth-rebirth-metric operational-behavior-data-commands-rebirth-value"),
    ("nbirth 0", set_on(lambda p: p.metrics[1], name="x"), "operational-behavior-data-commands-rebirth-name payloads-nbirth-rebirth-req"),
    ("nbirth 0", set_on(lambda p: p.metrics[1], datatype=3), "operational-behavior-data-commands-rebirth-datatype"),
    ("nbirth 0", set_on(lambda p: p.metrics[1], alias=8), "operational-behavior-data-commands-rebirth-name-aliases"),
    ("nbirth 0", set_on(lambda p: p.metrics[2], timestamp=MS + 5), "operational-behavior-data-publish-nbirth-order"),
    ("nbirth 0", set_on(lambda p: p.metrics[2], alias=5), "topics-nbirth-metric-reqs operational-behavior-data-publish-nbirth"),
    ("nbirth 0", set_on(lambda p: p.metrics[3].value, is_definition=None), "payloads-template-is-definition payloads-template-definition-is-definition payloads-template-definition-nbirth"),
    ("nbirth 1 again", set_on(lambda p: p.metrics[3].value, metrics=[]), "payloads-template-instance-members payloads-template-instance-members-birth"),
    ("nbirth 1 again", set_on(lambda p: p.metrics[3].value, parameters=[]), "payloads-template-definition-parameters"),
    ("nbirth 0", set_on(lambda p: p.metrics[3].value.parameters[0], name=None, type=99), "payloads-template-parameter-name-required payloads-template-parameter-type-value"),
    ("nbirth 0", set_on(lambda p: p.metrics[3].value.parameters[0], type=None), "payloads-template-parameter-type-req"),
    ("dbirth 0", entry(qos=1), "topics-dbirth-mqtt payloads-dbirth-qos"),
    ("dbirth 0", set_on(lambda p: p, seq=None), "payloads-dbirth-seq payloads-sequence-num-always-included"),
    ("dbirth 0", set_on(lambda p: p, seq=5), "topics-dbirth-seq payloads-sequence-num-incrementing"),
    ("dbirth 0", entry(topic="spBv1.0/G/DBIRTH/F/d"), "message-flow-device-birth-publish-dbirth-match-edge-node-topic"),
    ("dbirth 0", entry(topic="spBv1.0/G/DBIRTH/E"), "topics-dbirth-topic topic-structure-namespace-device-id-associated-message-types payloads-ddata-order payloads-dbirth-order"),
    ("dbirth 0", first(datatype=None), "topics-dbirth-metrics payloads-metric-datatype-req"),
    ("dbirth 0", first(datatype=77), "payloads-metric-datatype-value"),
    ("dbirth 0", first(alias=None), "payloads-alias-birth-requirement"),
    ("dbirth 0", first(alias=2), "payloads-alias-uniqueness"),
    ("dbirth 0", first(timestamp=None), "payloads-name-birth-data-requirement"),
    ("dbirth 0", first(timestamp=5), "payloads-metric-timestamp-in-UTC"),
    ("dbirth 0", first(is_null=True), "operational-behavior-data-publish-dbirth-values"),
    ("dbirth 0", first(timestamp=MS + 5), "operational-behavior-data-publish-dbirth-order"),
    ("dbirth 0", set_on(lambda p: p.metrics[1], name="SPEED"), "case-sensitivity-metric-names"),
    ("dbirth 0", set_on(lambda p: p.metrics[0].properties, keys=["Quality", "x"]), "payloads-propertyset-keys-array-size payloads-propertyset-values-array-size"),
    ("dbirth 0", set_on(lambda p: p.metrics[0].properties.values[0], value=64), "payloads-propertyset-quality-value-value"),
    ("dbirth 0", set_on(lambda p: p.metrics[0].properties.values[0], type=10), "payloads-propertyset-quality-value-type"),
    ("dbirth 0", set_on(lambda p: p.metrics[0].properties.values[0], type=None), "payloads-metric-propertyvalue-type-req"),
    ("dbirth 0", set_on(lambda p: p.metrics[0].properties.values[0], type=99), "payloads-metric-propertyvalue-type-value"),
    ("dbirth 0", set_on(lambda p: p.metrics[1].value, num_of_columns=2), "payloads-dataset-column-size"),
    ("dbirth 0", set_on(lambda p: p.metrics[1].value, types=[3, 3]), "payloads-dataset-types-num payloads-template-dataset-value"),
    ("dbirth 0", set_on(lambda p: p.metrics[1].value, types=[]), "payloads-dataset-types-def"),
    ("dbirth 0", set_on(lambda p: p.metrics[1].value, types=[99]), "payloads-dataset-types-value"),
    ("dbirth 0", set_on(lambda p: p.metrics[2].value, template_ref="Other"), "topics-nbirth-templates"),
    ("dbirth 0", set_on(lambda p: p.metrics[2].value, is_definition=True), "payloads-template-instance-ref payloads-template-definition-nbirth-only payloads-template-definition-ref"),
    ("ndata 0", set_on(lambda p: p, seq=9), "topics-ndata-seq-num payloads-ndata-seq-inc"),
    ("ndata 0", entry(qos=1, retain=True), "topics-ndata-mqtt payloads-ndata-qos payloads-ndata-retain"),
    ("ddata 0", set_on(lambda p: p, seq=None), "payloads-ddata-seq topics-ddata-seq-num"),
    ("ddata 0", set_on(lambda p: p, timestamp=None), "topics-ddata-timestamp payloads-ddata-timestamp"),
    ("ddata 0", first(name="speed"), "payloads-alias-data-cmd-requirement"),
    ("ddata 0", first(alias=None), "payloads-name-requirement"),
    ("ddata 0", first(alias=70), "topics-dbirth-metric-reqs operational-behavior-data-publish-dbirth"),
    ("ddata 0", first(datatype=10), "payloads-metric-datatype-not-req"),
    ("ddata 0", entry(topic="spBv1.0/g/DDATA/E/d"), "case-sensitivity-sparkplug-ids"),
    ("ddata 0", entry(topic="spBv1.1/G/DDATA/E/d"), "topic-structure topic-structure-namespace-a"),
    ("dcmd 0", entry(qos=1), "topics-dcmd-mqtt payloads-dcmd-qos"),
    ("dcmd 0", set_on(lambda p: p, seq=1), "payloads-dcmd-seq"),
    ("dcmd 0", set_on(lambda p: p, metrics=[]), "topics-dcmd-payload"),
    ("dcmd 0", first(alias=55), "operational-behavior-data-commands-dcmd-metric-name"),
    ("dcmd 0", first(field=15, value="x"), "operational-behavior-data-commands-dcmd-metric-value"),
    ("dcmd 0", first(name="Node Control/Rebirth"), "operational-behavior-data-commands-ncmd-rebirth-verb"),
    ("rebirth 0", first(value=False), "operational-behavior-data-commands-ncmd-rebirth-value"),
    ("rebirth 0", entry(retain=True), "topics-ncmd-mqtt payloads-ncmd-retain"),
    ("rebirth 0", set_on(lambda p: p, timestamp=None, seq=1), "topics-ncmd-timestamp payloads-ncmd-seq"),
    ("nbirth 0 again", entry(topic="x"), "operational-behavior-data-commands-rebirth-action-1 operational-behavior-data-commands-rebirth-action-2"),
    ("ddeath 0", set_on(lambda p: p, seq=None), "payloads-ddeath-seq payloads-ddeath-seq-number topics-ddeath-seq-num"),
    ("ddeath 0", set_on(lambda p: p, timestamp=None), "payloads-ddeath-timestamp"),
    ("ndeath 0", set_on(lambda p: p, seq=1), "topics-ndeath-seq payloads-ndeath-seq"),
    ("ndeath 0", first(value=7), "payloads-ndeath-bdseq"),
    ("ndeath 0", set_on(lambda p: p, metrics=[]), "topics-ndeath-payload"),
    ("ndeath 0", entry(topic="x"), "operational-behavior-edge-node-intentional-disconnect-ndeath payloads-ndeath-will-message-publisher-disconnect-mqtt311"),
    ("edge 0", entry(clean=False), "principles-persistence-clean-session-311"),
    ("edge 0", entry(version=5, expiry=9), "principles-persistence-clean-session-50 payloads-ndeath-will-message-publisher-disconnect-mqtt50"),
    ("edge 0", entry(topic=""), "message-flow-edge-node-birth-publish-will-message payloads-ndeath-will-message"),
    ("edge 0", entry(topic="spBv1.0/G/NDEATH/F"), "message-flow-edge-node-birth-publish-will-message-topic"),
    ("edge 0", entry(payload=b"\xff"), "message-flow-edge-node-birth-publish-will-message-payload"),
    ("edge 0", entry(qos=0, retain=True), "payloads-ndeath-will-message-qos payloads-ndeath-will-message-retain"),
    ("edge 1", first(value=7), "topics-nbirth-bdseq-increment message-flow-edge-node-birth-publish-will-message-payload-bdSeq message-flow-edge-node-birth-publish-nbirth-payload-bdSeq"),
    ("edge 0", entry(client="z"), "message-flow-edge-node-birth-publish-connect"),
    ("edge listens 0", entry(qos=0), "message-flow-edge-node-ncmd-subscribe operational-behavior-primary-application-state-with-multiple-servers-state-subs"),
    ("online", entry(qos=0), "host-topic-phid-birth-qos payloads-state-birth"),
    ("online", entry(retain=False), "host-topic-phid-birth-retain"),
    ("online", entry(payload=b"ONLINE"), "host-topic-phid-birth-payload message-flow-edge-node-birth-publish-phid-wait"),
    ("online", entry(payload=encode_state(online=True, timestamp=5)), "host-topic-phid-birth-payload-timestamp payloads-state-birth-payload"),
    ("online", entry(payload=encode_state(online=False, timestamp=MS)), "message-flow-edge-node-birth-publish-phid-wait-timestamp principles-birth-certificates-order"),
    ("online", entry(topic="STATE/P"), "host-topic-phid-birth-topic host-topic-phid-birth-message"),
    ("offline", entry(retain=False, qos=0), "host-topic-phid-death-retain host-topic-phid-death-qos"),
    ("offline", entry(topic="x"), "operational-behavior-host-application-termination"),
    ("offline", entry(payload=encode_state(online=False, timestamp=5)), "host-topic-phid-death-payload-timestamp-disconnect-clean"),
    ("offline", entry(payload=b'{"online":false,"timestamp":1,"timestamp":true}'), "host-topic-phid-birth-payload"),
    ("host", entry(qos=0), "payloads-state-will-message-qos"),
    ("host", entry(retain=False), "payloads-state-will-message-retain"),
    ("host", entry(clean=False), "message-flow-phid-sparkplug-clean-session-311"),
    ("host", entry(version=5, expiry=1), "message-flow-phid-sparkplug-clean-session-50"),
    ("host", entry(payload=b"OFFLINE"), "payloads-state-will-message-payload host-topic-phid-death-payload-timestamp-connect"),
    ("host", entry(topic=""), "payloads-state-will-message host-topic-phid-death-required"),
    ("host listens", entry(filters=("spBv1.0/#",)), ""),
    ("host listens", entry(filters=("x",)), "message-flow-phid-sparkplug-subscription payloads-state-subscribe"),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]}: {case[2].split(' ')[0]}")
def test_a_spoiled_session_fails_just_there(case):
    name, change, expected = case
    assert {f"tck-id-{one}" for one in expected.split()} <= failing(spoiled(name, change))


def test_most_rules_have_been_seen_to_fail():
    failed = set().union(*(failing(spoiled(name, change)) for name, change, _ in CASES))
    assert len(failed) > 180


def test_every_statement_of_the_specification_is_known(reference):
    file = reference / "standards" / "sparkplug-3.0" / "tck-assertion-ids.tsv"
    ids = [line.split("\t")[0] for line in file.read_text().splitlines() if line.startswith("tck-id-")]
    assert sorted(ids) == known_ids()
    assert {f"tck-id-{name}" for name in ADVICE} <= set(RULES)


def test_the_page_of_the_reference_is_written_from_the_code():
    assert (ROOT / "docs" / "reference" / "sparkplug-assertions.md").read_text() == page()


def test_a_recording_comes_back_from_its_file(tmp_path):
    entries = [one for _, one in good()]
    write_recording(tmp_path / "s.jsonl", entries)
    assert read_recording(tmp_path / "s.jsonl") == entries
    (tmp_path / "bad.jsonl").write_text('{"time": 1}\n{"time": "x"}\n')
    with pytest.raises(Invalid, match="line 2"):
        read_recording(tmp_path / "bad.jsonl")


def test_what_is_not_mqtt_is_refused():
    for junk in (
        b"GET / HTTP/1.1\r\n" * 9,
        b"\x10\xff\xff\xff\xff\x01",
        b"\x10\x06\x00\x04HTTP",
        b"\x30\x02\x00\x09",
    ):
        with pytest.raises(BadPayload):
            list(ClientStream().feed(junk, 1))
