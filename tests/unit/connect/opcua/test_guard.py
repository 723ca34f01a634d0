"""The bounds around asyncua's decoder are in place, and this release still calls them: a contract."""

import struct
import time

import pytest
from asyncua import ua
from asyncua.client.client import Client, _first_cert_from_chain
from asyncua.client.ua_client import UaClient, UASocketProtocol
from asyncua.common.connection import TransportLimits
from asyncua.common.utils import Buffer
from asyncua.ua import ua_binary

from weft.connect.opcua.channel import MAX_CHUNK, MAX_MESSAGE, Channel, Dialogue
from weft.ua import guard

HUGE = 2**31 - 1


@pytest.mark.parametrize("operation", ["read", "skip", "copy"])
def test_no_negative_sizes(operation):
    with pytest.raises(guard.TooMuch):
        getattr(Buffer(b"abcdef", 3), operation)(-2)
    assert bytes(Buffer(b"abcdef", 3).copy()) == b"def"


@pytest.mark.parametrize(
    "data",
    [
        bytes([0x80]) + struct.pack("<i", HUGE),
        bytes([0x80]) + struct.pack("<i", 3),
        bytes([0x80 | 12]) + struct.pack("<i", HUGE),
        bytes([0x80 | 24]) + struct.pack("<i", -2),
        bytes([12]) + struct.pack("<i", -3) + bytes(20),
        bytes([0xC0 | 1]) + struct.pack("<iiii", 0, 2, 1000, 1000),
        bytes([0xC0 | 1]) + struct.pack("<i2xiii", 2, 2, -1, -2),
        bytes([24]) * 50_000,
    ],
)
def test_variants_are_bounded(data):
    begun = time.process_time()
    with pytest.raises(guard.FAULTS):
        ua_binary.variant_from_binary(Buffer(data))
    assert time.process_time() - begun < 2.0


def test_lists_of_structures_are_no_longer_than_their_bytes():
    header = struct.pack("<BBqIIBiBBB", 0, 0, 0, 1, 0, 0, 0, 0, 0, 0)
    for response in (ua.GetEndpointsResponse, ua.BrowseResponse):
        with pytest.raises(guard.TooMuch):
            ua_binary.struct_from_binary(response, Buffer(header + struct.pack("<i", HUGE)))


def test_decoders_made_before_the_bounds_are_made_anew():
    """install() empties asyncua's caches: none of them holds a decoder from before."""
    guard.install()
    assert ua_binary._create_list_deserializer.__module__ == guard.__name__
    assert ua_binary._create_uatype_array_deserializer.__module__ == guard.__name__
    assert ua_binary.variant_from_binary.__globals__["_reshape"] is ua_binary._reshape
    assert ua_binary._reshape.__wrapped__ is not ua_binary._reshape


def test_arrays_and_matrices_are_read_as_before():
    for value in ([1, 2, 3], [], None):
        variant = ua.Variant(value, ua.VariantType.Int32, is_array=True)
        assert ua_binary.variant_from_binary(Buffer(ua_binary.variant_to_binary(variant))).Value == value
    matrix = ua.Variant([[1, 2], [3, 4]], ua.VariantType.Int16, Dimensions=[2, 2], is_array=True)
    assert ua_binary.variant_from_binary(Buffer(ua_binary.variant_to_binary(matrix))).Value == matrix.Value


class Transport:
    def __init__(self):
        self.closed = False

    def is_closing(self):
        return self.closed

    def close(self):
        self.closed = True


def channel():
    made = Channel(1.0, ua.SecurityPolicyType and Client("opc.tcp://x").security_policy)
    made.connection_made(Transport())
    return made


@pytest.mark.parametrize("size", [0, 7, MAX_CHUNK + 1, 2**32 - 1])
def test_a_chunk_of_impossible_size_closes_the_channel_before_it_is_kept(size):
    made = channel()
    made.data_received(b"MSGF" + struct.pack("<I", size) + bytes(5000))
    assert made.transport.closed
    assert f"{size} bytes" in made.fault
    assert not made._inbox


def test_a_chunk_in_many_pieces_is_put_together():
    made = channel()
    seen = []
    made._process_received_data = seen.append
    chunk = b"MSGF" + struct.pack("<I", 5000) + bytes(4992)
    for at in range(0, 10_000, 7):
        made.data_received((chunk * 2)[at : at + 7])
    assert seen == [chunk, chunk]


def test_the_servers_limits_never_widen_ours():
    made = channel()
    limits = made._connection._limits
    limits.update_client_limits(ua.Acknowledge(0, HUGE, HUGE, 0, 0))
    assert (limits.max_recv_buffer, limits.max_message_size) == (MAX_CHUNK, MAX_MESSAGE)
    assert limits.max_send_buffer == 65535
    with pytest.raises(ua.UaError):
        limits.update_client_limits(ua.Acknowledge(0, 100, 100, 0, 0))


def test_asyncua_still_has_what_we_hook_into():
    for owner, names in (
        (UASocketProtocol, "_process_received_data _process_received_message _send_request send_hello"),
        (UaClient, "_make_protocol _send_request _on_transport_lost _is_session_closing"),
        (Client, "server_policy create_session activate_session open_secure_channel close_session"),
        (TransportLimits, "update_client_limits"),
        (ua_binary, "_reshape _create_list_deserializer _create_uatype_array_deserializer"),
    ):
        for name in names.split():
            assert callable(getattr(owner, name)), name
    assert _first_cert_from_chain(b"\x30\x82\x00\x01Aa") == b"\x30\x82\x00\x01A"
    dialogue = Dialogue("opc.tcp://localhost:1", 1.0)
    protocol = dialogue.uaclient._make_protocol()
    assert isinstance(protocol, Channel)
    assert protocol.pre_request_hook is None
    assert isinstance(protocol._connection._limits, TransportLimits)
