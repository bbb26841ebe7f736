"""A message, and the answers of JetStream's protocol to a delivery."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nats.aio.client import Client


@dataclass
class Msg:
    _client: Client
    subject: str = ""
    reply: str = ""
    data: bytes = b""
    headers: dict[str, str] | None = None

    async def nak(self, delay: float | None = None) -> None:
        word = b"-NAK"
        if delay:
            word += b" " + json.dumps({"delay": int(delay * 10**9)}).encode()
        await self._client.publish(self.reply, word)

    async def in_progress(self) -> None:
        await self._client.publish(self.reply, b"+WPI")

    @property
    def metadata(self) -> Metadata:
        # $JS.ACK.<stream>.<consumer>.<deliveries>.<stream sequence>.<consumer sequence>.…, with
        # <domain>.<hash of the account> before the stream if there is a domain.
        tokens = self.reply.split(".")[2:]
        if len(tokens) > 7:
            tokens = tokens[2:]
        return Metadata(
            stream=tokens[0],
            num_delivered=int(tokens[2]),
            sequence=SequencePair(stream=int(tokens[3]), consumer=int(tokens[4])),
        )


@dataclass(frozen=True)
class SequencePair:
    consumer: int
    stream: int


@dataclass(frozen=True)
class Metadata:
    stream: str
    num_delivered: int
    sequence: SequencePair
