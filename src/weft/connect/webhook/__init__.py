"""Webhooks and REST: machines and gateways that post, and addresses that are asked at an interval."""

from weft.connect.webhook.address import Address, Config, Poll
from weft.connect.webhook.connector import Webhook

__all__ = ["Address", "Config", "Poll", "Webhook"]
