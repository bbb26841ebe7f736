"""A message, and what JetStream says about its delivery."""

from __future__ import annotations

from dataclasses import dataclass

@dataclass
class Msg:
    subject: str = ""
    reply: str = ""
    data: bytes = b""
    headers: dict[str, str] | None = None

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
