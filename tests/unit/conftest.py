"""Unit tests open no sockets."""

import socket

import pytest


@pytest.fixture(autouse=True)
def _no_sockets(monkeypatch):
    def refuse(self, address, *_):
        if self.family != socket.AF_UNIX:
            raise AssertionError(f"a unit test opened a socket to {address}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "bind", refuse)
