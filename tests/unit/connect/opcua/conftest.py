"""Messages for the decoder, written by asyncua."""

import pytest
from asyncua import ua
from asyncua.ua.ua_binary import struct_to_binary

from weft.connect.opcua.decode import Decoder
from weft.connect.opcua.handles import Handles

RECEIVED = 1_790_000_000_123_456_789


def publish_response(*notifications, subscription=7, sequence=1, results=(), available=None):
    response = ua.PublishResponse()
    response.Parameters.SubscriptionId = subscription
    response.Parameters.AvailableSequenceNumbers = [sequence] if available is None else available
    response.Parameters.Results = list(results)
    message = response.Parameters.NotificationMessage
    message.SequenceNumber = sequence
    message.NotificationData = list(notifications)
    return struct_to_binary(response)


def data_change(items):
    """Of (client handle, DataValue) pairs."""
    return ua.DataChangeNotification(
        MonitoredItems=[ua.MonitoredItemNotification(handle, value) for handle, value in items]
    )


class Wire:
    publish_response = staticmethod(publish_response)
    data_change = staticmethod(data_change)
    RECEIVED = RECEIVED

    @staticmethod
    def decoder(signals=1000):
        """A decoder whose client handle n stands for signal n + 100000."""
        handles = Handles()
        for n in range(1, signals):
            assert handles.give(n + 100_000) == n
        return Decoder(handles)


@pytest.fixture(scope="session")
def wire():
    return Wire
