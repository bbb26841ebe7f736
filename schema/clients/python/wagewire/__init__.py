"""The kit for programs that read Wagewire's completions.

connect() opens a Client. Client.subscribe() hands the completions of a durable consumer to a
Handler until it is told to stop, and Client.catch_up() until nothing is left. Client.account()
reads the last state of an account. The contract is in schema/README.md of Wagewire.

Numbers are never floats: a number is an int or a Decimal with every digit of the provider.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import inspect
import json
import logging
import os
import re
import signal
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Protocol, cast

import nats
import nats.errors
from nats.aio.client import Client as _Connection
from nats.aio.msg import Msg as _Message

from .normal import has_normal, normal_of
from .types import RESOURCES, Account, CompletionData, CompletionRecordsRef, JsonObject

__all__ = [
    "Client",
    "Completion",
    "Config",
    "ConfigError",
    "Entry",
    "Handler",
    "Mirror",
    "NoDurable",
    "NotACompletion",
    "Poison",
    "Poisoned",
    "RESOURCES",
    "RecordsChanged",
    "RecordsGone",
    "Subscription",
    "aside_dir",
    "config_from_env",
    "connect",
    "dumps",
    "has_normal",
    "loads",
    "normal_of",
    "order",
    "stop_on_signals",
    "token",
]

_log = logging.getLogger("wagewire")

DEPTH_MAX = 100
"""The number of levels of the deepest JSON that the kit reads."""

TOGETHER_BYTES_MAX = 8 << 20
"""The size of the largest records that are held in memory together, in bytes."""

ATTEMPTS_MAX = 20
"""After so many deliveries a completion that fails alone is poison."""

HANDS_MAX = 100
"""The largest number of hands: each is a request that waits at the broker."""

PAUSE_MIN: float = 1
PAUSE_MAX: float = 600
"""The pause before a completion comes again, in seconds: the first, and the longest."""

_COMPLETIONS = "WAGEWIRE_COMPLETIONS"
_ACCOUNTS = "WAGEWIRE_ACCOUNTS"
_RECORDS = "OBJ_WAGEWIRE_RECORDS"

# The broker delivers a completion again a minute after the last sign of life.
_SIGN_OF_LIFE_EVERY = 20.0
# A request for a completion waits so long at the broker, which says every few seconds that the
# request is still there. After a longer silence the request is lost.
_REQUEST_FOR = 30.0
_HEARTBEAT_EVERY = 5.0
_SILENCE_MAX = 15.0
_HEARTBEAT = "100"  # the status that says that a request is still there
# An answer of the broker to any other request comes in this time, or the request failed.
_ANSWER_WITHIN = 5.0
_TELL_TRIES = 3
# So often the kit looks whether the durable stands still.
_INSPECT_EVERY = 60.0
# So many completions outside of the filter are a line of the log.
_UNSEEN_EVERY = 1000
# The errors of a connection that is away or at its end: the kit goes on with the next one.
_AWAY = (nats.errors.OutboundBufferLimitError, nats.errors.ConnectionClosedError)
# nats-py closes its connection for good at most errors of the broker, such as a key that is refused
# for a moment. So often, in seconds, the kit looks, and opens another connection.
_REOPEN_EVERY = 2.0
# More completions that fail are forgotten. A durable hands out fewer at a time.
_FAILURES_MAX = 10_000


class ConfigError(Exception):
    """The client cannot work with its configuration. The text says what to change."""


class NoDurable(Exception):
    """The broker has no such durable for this team, or has it no more."""


class NotACompletion(Exception):
    """Bytes that are no completion. The text has no part of the bytes."""


class Poison(Exception):
    """A handler raises Poison for a completion that it can never store.

    The text is written beside the completion and to the log: keep personal data out of it.
    """


class RecordsGone(Exception):
    """The records of a large completion are not there.

    A replica of the broker may lag. After a deletion the records are gone for ever.
    """


class RecordsChanged(Exception):
    """The records of a large completion are not those that the completion names."""


def loads(text: bytes | str) -> Any:
    """Reads JSON. Numbers become int or Decimal and keep every digit.

    Bytes that are not UTF-8 become U+FFFD: a provider's text may have them.

    ValueError: the text is not JSON, has NaN or Infinity, or is nested too deep.
    """
    encoded = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    if _is_deep(encoded):
        raise ValueError(f"the JSON has more than {DEPTH_MAX} levels")
    decoded = text if isinstance(text, str) else text.decode("utf-8", "replace")
    return json.loads(decoded, parse_float=_decimal, parse_int=_integer, parse_constant=_no_number)


# The text up to a bracket that is in no string. A quote at its end opens a string that does not end
# in the text.
_UP_TO_BRACKET = re.compile(
    rb'(?:[^"\[\]{}]++|"[^"\\]*+(?:\\.[^"\\]*+)*+")*+([\[\]{}"]|\Z)', re.DOTALL
)


def _is_deep(text: bytes) -> bool:
    if text.count(b"[") + text.count(b"{") <= DEPTH_MAX:
        return False
    depth = 0
    for found in _UP_TO_BRACKET.finditer(text):
        last = found[1]
        if last in (b"[", b"{"):
            depth += 1
            if depth > DEPTH_MAX:
                return True
        elif last in (b"]", b"}"):
            depth -= 1
        elif last:  # a string without an end
            break
    return False


def _decimal(digits: str) -> Decimal:
    try:
        return Decimal(digits)
    except InvalidOperation:
        raise ValueError("a number has an exponent that no Decimal can hold") from None


# Python makes no int of more digits by default, because that takes quadratic time.
_INT_DIGITS_MAX = 4000


def _integer(digits: str) -> int | Decimal:
    return int(digits) if len(digits) <= _INT_DIGITS_MAX else _decimal(digits)


def _no_number(word: str) -> Any:
    raise ValueError(f"{word} is no number of JSON")


def dumps(value: Any) -> str:
    """Writes what loads returned as JSON, with every digit of its numbers.

    TypeError: the value has a float or another type that loads does not return.
    """
    if value is None or isinstance(value, (str, bool)):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, Decimal) and value.is_finite():
        return str(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Mapping):
        members = (f"{json.dumps(k, ensure_ascii=False)}:{dumps(v)}" for k, v in value.items())
        return "{" + ",".join(members) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(dumps(item) for item in value) + "]"
    raise TypeError(f"{type(value).__name__} is no type of the kit's JSON")


_PLAIN = re.compile(r"[A-Za-z0-9_-]{1,64}")
_TOKEN = re.compile(r"[A-Za-z0-9_-]+")  # also the hash of an id


def token(id: str) -> str:
    """Returns the token of an id in a subject: the id itself if it is plain, else its hash."""
    if _PLAIN.fullmatch(id) and id != "_" and not id.startswith("h_"):
        return id
    digest = hashlib.sha256(id.encode("utf-8", "surrogatepass")).digest()
    return "h_" + base64.b32encode(digest).decode("ascii").rstrip("=")


_RFC3339 = re.compile(
    r"(\d{4})-(\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)", re.ASCII
)


def _sortable(time: str) -> str:
    """Returns a time of RFC 3339 as text that sorts like the time, with nanoseconds, in UTC."""
    parts = _RFC3339.fullmatch(time)
    if parts is None:
        raise ValueError("a time is not of RFC 3339")
    year, rest, fraction, offset = parts.groups(default="")
    # datetime has no year 0, so the calendar of 400 years, which repeats, is moved into its range.
    moved = int(year) % 400 + 400
    zone = "+00:00" if offset == "Z" else offset
    utc = datetime.fromisoformat(f"{moved:04d}-{rest}{zone}").astimezone(timezone.utc)
    true_year = int(year) + utc.year - moved
    if true_year < 0:
        return "0000-01-01T00:00:00.000000000Z"
    return f"{true_year:04d}-{utc:%m-%dT%H:%M:%S}.{fraction[:9]:0<9}Z"


def order(envelope: Mapping[str, Any]) -> str:
    """Returns the sequence of a completion, also of one of a release without sequences.

    envelope is the completion as JSON. Compare two of them as text: the greater is the newer.
    """
    sequence = envelope.get("sequence")
    if sequence:
        return str(sequence)
    data = envelope["data"]
    time = data.get("refreshed_at") or data["event"]["occurred_at"]
    return f"{_sortable(time)}/{_sortable(envelope['time'])}/{envelope['id']}"


@dataclass(frozen=True)
class Completion:
    """The last word on a webhook, for one resource."""

    envelope: JsonObject = field(repr=False)
    """The whole message as JSON, with unknown fields too."""
    raw: bytes = field(repr=False)
    """The bytes of the message."""
    attempt: int = 1
    """The number of the delivery: 1 is the first."""
    _chunk: Callable[[str], Awaitable[bytes]] | None = field(default=None, repr=False)

    @classmethod
    def parse(cls, raw: bytes, attempt: int = 1) -> Completion:
        """Reads the bytes of a message. NotACompletion: they are none."""
        try:
            envelope = loads(raw)
        except (ValueError, RecursionError) as error:
            raise NotACompletion(_why_not_json(error)) from None
        wrong = _wrong_field(envelope)
        if wrong:
            raise NotACompletion(f"{wrong} is not that of a completion")
        completion = cls(envelope=envelope, raw=raw, attempt=attempt)
        try:
            order(envelope)
        except (ValueError, KeyError, TypeError, AttributeError):
            raise NotACompletion("a time is not that of a completion") from None
        return completion

    @property
    def id(self) -> str:
        """The completion's id, the same in every delivery: your idempotency key."""
        return cast(str, self.envelope["id"])

    @property
    def type(self) -> str:
        """wagewire.<resource>.<outcome>.v1."""
        return str(self.envelope.get("type") or "")

    @property
    def subject(self) -> str:
        """The token of the account."""
        return str(self.envelope.get("subject") or "")

    @property
    def time(self) -> str:
        """When the completion was made, by RFC 3339."""
        return str(self.envelope.get("time") or "")

    @property
    def order(self) -> str:
        """The order of the completions of one account and resource: compare it as text."""
        return order(self.envelope)

    @property
    def data(self) -> CompletionData[JsonObject]:
        """The content. For the records take records(), which also finds those of large ones."""
        return cast("CompletionData[JsonObject]", self.envelope["data"])

    @property
    def provider(self) -> str:
        """pinwheel, truv or a later one."""
        return self.data["provider"]

    @property
    def resource(self) -> str:
        """The kind of data, such as paystubs."""
        return self.data["resource"]

    @property
    def outcome(self) -> str:
        """How the event ended. Expect words that are not documented yet."""
        return self.data["outcome"]

    @property
    def account_id(self) -> str | None:
        """The account as the provider names it."""
        return self.data.get("account_id")

    async def records(self) -> AsyncIterator[JsonObject]:
        """The provider's objects, in the message or wherever they are.

        Nothing comes before the SHA-256 and the text of all are checked. Memory stays small:
        records of more than 8 MiB are fetched twice, and split one by one.

        RecordsGone, RecordsChanged: let them leave the handler, and the completion comes again.
        """
        reference = self.data.get("records_ref")
        if reference is None:
            for record in self.data.get("records") or []:
                yield record
            return
        async for record in _large_records(reference, self._chunk):
            yield record


def _why_not_json(error: Exception) -> str:
    """Returns the reason without a part of the text: the errors of json have places, not text."""
    if isinstance(error, json.JSONDecodeError):
        return f"it is not JSON at character {error.pos}"
    return str(error) if isinstance(error, ValueError) else "the JSON is nested too deep"


def _wrong_field(envelope: Any) -> str:
    """Returns the name of a field that keeps the message from being a completion, or nothing."""
    if not isinstance(envelope, dict):
        return "the JSON"
    if not isinstance(envelope.get("id"), str) or not envelope["id"]:
        return "id"
    if not isinstance(envelope.get("subject", ""), str):
        return "subject"
    data = envelope.get("data")
    if not isinstance(data, dict):
        return "data"
    for name in ("provider", "resource", "outcome"):
        if not isinstance(data.get(name), str) or not data[name]:
            return f"data.{name}"
    if not isinstance(data.get("account_id"), (str, type(None))):
        return "data.account_id"
    records = data.get("records")
    if records is not None:
        if not isinstance(records, list) or not all(isinstance(r, dict) for r in records):
            return "data.records"
    if not isinstance(data.get("records_ref"), (dict, type(None))):
        return "data.records_ref"
    return ""


async def _large_records(
    reference: CompletionRecordsRef, chunk: Callable[[str], Awaitable[bytes]] | None
) -> AsyncIterator[JsonObject]:
    subject, chunks, digest, count, want_size = _checked(reference)
    if chunk is None:
        raise RuntimeError("the records of this completion are at the broker: read it by a Client")
    kept: list[bytes] = []

    async def read() -> AsyncIterator[JsonObject]:
        """Reads everything once, and raises at the end if anything is wrong."""
        sha256 = hashlib.sha256()
        splitter = _Splitter()
        size = 0
        error: Exception | None = None
        for n in range(chunks):
            part = kept[n] if n < len(kept) else await chunk(f"{subject}.{n + 1}")
            if len(kept) == n and want_size <= TOGETHER_BYTES_MAX:
                kept.append(part)
            size += len(part)
            if size > want_size:
                raise RecordsChanged("the records are larger than the completion says")
            sha256.update(part)
            try:
                for record in splitter.feed(part) if error is None else ():
                    yield _record(record)
            except (RecordsChanged, Poison) as found:
                error = found  # a wrong hash counts more: a changed text may be anything
        if size != want_size or sha256.hexdigest() != digest:
            raise RecordsChanged("the records do not have the size and SHA-256 of the completion")
        if error is not None:
            raise error
        splitter.close(count)

    async for _ in read():  # nothing is handed out before all is right
        pass
    async for record in read():
        yield record


def _checked(reference: Mapping[str, Any]) -> tuple[str, int, str, int, int]:
    """Returns the subject, the number of chunks, the digest, the number of records and the size."""
    if "subject" not in reference or "chunks" not in reference:
        raise RecordsGone(
            "the records were stored by an earlier release, without a subject: a redrive by the "
            "operator stores them again"
        )
    subject = reference["subject"]
    chunks = reference["chunks"]
    digest = reference.get("sha256")
    numbers = (chunks, reference.get("count"), reference.get("bytes"))
    if not isinstance(subject, str) or not re.fullmatch(r"[^\s*>]+", subject):
        raise RecordsChanged("records_ref.subject is not the subject of chunks")
    if not isinstance(digest, str) or not all(isinstance(number, int) for number in numbers):
        raise RecordsChanged("records_ref does not have the types of the contract")
    return subject, chunks, digest, cast(int, numbers[1]), cast(int, numbers[2])


def _record(text: bytes) -> JsonObject:
    try:
        return cast(JsonObject, loads(text))
    except ValueError as error:
        raise Poison(f"a record cannot be read: {_why_not_json(error)}") from None


class _Splitter:
    """Splits the text of a JSON array of objects, which comes in parts of any size."""

    _IN_STRING = re.compile(rb'["\\]')
    _FIRST = re.compile(rb"\s*")
    _NEXT = re.compile(rb"\s*,\s*")

    def __init__(self) -> None:
        self._text = bytearray()  # from the end of the last whole record on
        self._looked = 0  # how much of the text was looked at
        self._depth = 0
        self._start = 0  # of what was not given out yet
        self._in_string = False
        self._count = 0
        self._is_whole = False

    def feed(self, part: bytes) -> Iterator[bytes]:
        """Adds a part of the text, and returns the records that are whole now."""
        self._text += part
        for start, end in self._look():
            self._count += 1
            yield bytes(self._text[start:end])
        del self._text[: self._start]
        self._looked -= self._start
        self._start = 0

    def close(self, count: int) -> None:
        """RecordsChanged: the text is no whole array of so many records."""
        if not self._is_whole or bytes(self._text).strip():
            raise RecordsChanged("the records are not one whole array")
        if self._count != count:
            raise RecordsChanged(f"there are {self._count} records, and not {count}")

    def _look(self) -> Iterator[tuple[int, int]]:
        """Looks at the rest of the text, and returns where its whole records are."""
        while self._looked < len(self._text):
            if self._in_string and not self._leave_string():
                return
            begin = self._looked
            self._looked = len(self._text)
            for found in _UP_TO_BRACKET.finditer(bytes(self._text[begin:])):
                last = found[1]
                at = begin + found.end() - len(last)
                if last == b'"':
                    self._in_string = True
                    self._looked = at + 1
                    break
                if last in (b"[", b"{"):
                    self._open(last, at)
                elif last and self._close(last, at):
                    yield self._start, at + 1
                    self._start = at + 1

    def _leave_string(self) -> bool:
        """Looks for the end of a string. A backslash at the end is left for the next part."""
        while found := self._IN_STRING.search(self._text, self._looked):
            if found[0] == b'"':
                self._in_string = False
                self._looked = found.end()
                return True
            if found.end() == len(self._text):
                self._looked = found.start()
                return False
            self._looked = found.end() + 1
        self._looked = len(self._text)
        return False

    def _open(self, bracket: bytes, at: int) -> None:
        if self._depth < 2:
            is_next = self._depth == 1 and self._count > 0
            self._check_between(at, self._NEXT if is_next else self._FIRST)
            if (bracket == b"[") != (self._depth == 0) or self._is_whole:
                raise RecordsChanged("the records are not an array of objects")
            self._start = at if self._depth == 1 else at + 1
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise Poison(f"the records have more than {DEPTH_MAX} levels")

    def _close(self, bracket: bytes, at: int) -> bool:
        """Reports whether the bracket closes a record."""
        self._depth -= 1
        if self._depth == 0:
            if bracket != b"]":
                raise RecordsChanged("the records are not an array of objects")
            self._check_between(at, self._FIRST)
            self._start = at + 1
            self._is_whole = True
        if self._depth < 0:
            raise RecordsChanged("the records are not one array")
        return self._depth == 1

    def _check_between(self, end: int, wanted: re.Pattern[bytes]) -> None:
        if not wanted.fullmatch(self._text, self._start, end):
            raise RecordsChanged("the records are not an array of objects")


class Handler(Protocol):
    """Yours. The same completion may come again: keep each id once.

    The kit acknowledges after the handler returned. An error gives the completion back. Code that
    waits without await stops the whole program: run it by asyncio.to_thread.
    """

    async def store(self, completion: Completion) -> None:
        """Stores the completion and its records."""

    async def remove(self, completion: Completion) -> None:
        """Removes everything of the completion's account, in every resource.

        The account's completions that were set aside are data of the account too. aside_dir keeps
        them until Client.retry_aside, which removes them unseen. A deletion is never set aside: it
        comes again until remove takes it.
        """


@dataclass(frozen=True)
class Poisoned:
    """A message that the program can never store."""

    raw: bytes = field(repr=False)
    """The bytes of the message, which may be anything."""
    reason: str
    """The kit's own text, or that of a Poison."""
    stream: str
    sequence: int
    """The place of the message on its stream."""


def aside_dir(directory: str | os.PathLike[str]) -> Callable[[Poisoned], Awaitable[None]]:
    """Returns an aside that keeps each message as <stream>-<sequence>.json in the directory.

    The reason is beside it, in <stream>-<sequence>.why.txt. Client.retry_aside takes the files.
    They are whole completions with personal data, also of accounts that are deleted later: run
    retry_aside after deletions, or let Handler.remove look there too.
    """
    place = Path(directory)

    async def keep(poisoned: Poisoned) -> None:
        await asyncio.to_thread(_keep, place, poisoned)

    return keep


def _keep(place: Path, poisoned: Poisoned) -> None:
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    name = f"{poisoned.stream}-{poisoned.sequence}"
    _write(place / f"{name}.why.txt", f"{poisoned.reason}\n".encode("utf-8", "replace"))
    _write(place / f"{name}.json", poisoned.raw)


def _write(path: Path, content: bytes) -> None:
    """Writes a file that is whole on the disk or not there."""
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)
    with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.rename(path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


@dataclass(frozen=True)
class Subscription:
    """What to read. Use one filter for one durable: what the filter leaves out is acknowledged.

    Deletions come whatever the filter.
    """

    durable: str = ""
    """The durable consumer. Empty: the one with the name of the team."""
    resources: Iterable[str] = ()
    """The resources, such as paystubs. Empty: all. Links come only if link is among them.
    A resource that the durable does not deliver is a ConfigError at the start."""
    accounts: Iterable[str] = ()
    """The accounts, by the provider's ids. Empty: all."""
    hands: int = 4
    """How many completions the handler gets at once. Those of one account come one by one, so an
    account with many of them may hold every hand for a while."""
    aside: Callable[[Poisoned], Awaitable[None] | None] | None = None
    """Keeps what can never be stored. Without it such a completion comes again for ever."""
    attempts_max: int = ATTEMPTS_MAX
    """After so many deliveries, a completion that fails while others do not is set aside."""


@dataclass(frozen=True)
class Config:
    """How to reach the broker."""

    team: str
    """The name of the team, and of its first durable."""
    url: str = "nats://127.0.0.1:4222"
    """The broker's addresses, separated by commas."""
    seed_file: str = ""
    """The file with the seed of the team's key. The sandbox needs none."""
    ca_file: str = ""
    """The authorities whose certificates the broker may have. With it, the broker must use TLS."""
    domain: str = "wagewire"
    """The JetStream domain."""


def config_from_env(team: str, environ: Mapping[str, str] = os.environ) -> Config:
    """Returns the configuration in NATS_URL, NATS_SEED_FILE and NATS_CA_FILE."""
    return Config(
        team=team,
        url=environ.get("NATS_URL") or Config.url,
        seed_file=environ.get("NATS_SEED_FILE", ""),
        ca_file=environ.get("NATS_CA_FILE", ""),
    )


def stop_on_signals() -> asyncio.Event:
    """Returns an event that SIGTERM and SIGINT set. Call it in a coroutine."""
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    return stop


async def connect(config: Config) -> Client:
    """Opens a connection, which from then on connects again for ever.

    ConfigError: the broker is not there, or refuses the key.
    """
    client = Client(config)
    await client._open()
    return client


@dataclass
class _Lock:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    users: int = 0


class Client:
    """A connection to the broker. connect() makes one; close it, or use it by `async with`."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._api = f"$JS.{config.domain}.API." if config.domain else "$JS.API."
        self._nc: _Connection = _Connection()
        self._is_closed = False
        self._keeping_open: asyncio.Task[None] | None = None
        self._readers: set[_Reader] = set()
        self._locks: dict[str, _Lock] = {}

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes the connection. First let subscribe end: close gives no completion back."""
        self._is_closed = True
        if self._keeping_open is not None:
            self._keeping_open.cancel()
            await asyncio.wait({self._keeping_open})
        await self._nc.close()
        self._wake()

    async def subscribe(
        self, subscription: Subscription, handler: Handler, stop: asyncio.Event | None = None
    ) -> None:
        """Hands the completions of the durable to the handler until stop is set.

        Then, and also if the task is cancelled, subscribe takes no more, waits for those in hand,
        and gives the rest back. NoDurable: there is no such durable, or no more.
        """
        await _Reader(self, subscription, handler, stop, until_empty=False).run()

    async def catch_up(
        self, subscription: Subscription, handler: Handler, stop: asyncio.Event | None = None
    ) -> None:
        """Does the same, and returns when the durable has nothing left: nothing new, and nothing
        that waits for an acknowledgement, also by other programs."""
        await _Reader(self, subscription, handler, stop, until_empty=True).run()

    async def account(self, provider: str, account_id: str) -> Account | None:
        """Returns the last state of an account, by the provider's id, or None without one."""
        return await self._account(provider, token(account_id))

    async def _account(self, provider: str, subject: str) -> Account | None:
        answer = await self._get(f"{_ACCOUNTS}.wagewire.accounts.{provider}.{subject}")
        return None if answer is None else cast(Account, loads(answer))

    async def _is_of_deleted_account(self, completion: Completion) -> bool:
        """Reports whether a completion that is no deletion has data of a deleted account."""
        has_account = all(map(_TOKEN.fullmatch, (completion.provider, completion.subject)))
        if completion.outcome == "deleted" or not has_account:
            return False
        account = await self._account(completion.provider, completion.subject)
        return account is not None and account["data"]["status"] == "deleted"

    async def retry_aside(self, directory: str | os.PathLike[str], handler: Handler) -> int:
        """Hands the messages that aside_dir kept to the handler, the oldest first, and removes
        those that it took. It returns how many these are.

        Messages of accounts that are deleted by now are removed, and the handler never sees them.

        ExceptionGroup: an error for each message that stays, with the name of its file as a note.
        """
        taken = 0
        errors: list[Exception] = []
        for path in sorted(Path(directory).glob("*.json"), key=_place_in_name):
            try:
                completion = self._parse(await asyncio.to_thread(path.read_bytes), attempt=0)
                async with self._turn(completion, asyncio.Event()):
                    is_obsolete = await self._is_of_deleted_account(completion)
                    if not is_obsolete:
                        await _hand_over(completion, handler)
            except Exception as error:
                error.add_note(f"{path.name} stays aside")
                errors.append(error)
                continue
            path.with_suffix(".why.txt").unlink(missing_ok=True)
            path.unlink()
            taken += not is_obsolete
        if errors:
            raise ExceptionGroup("completions stay aside", errors)
        return taken

    def _parse(self, raw: bytes, attempt: int) -> Completion:
        completion = Completion.parse(raw, attempt)
        object.__setattr__(completion, "_chunk", self._chunk)
        return completion

    @contextlib.asynccontextmanager
    async def _turn(self, completion: Completion, stop: asyncio.Event) -> AsyncIterator[bool]:
        """Lets one handler in at a time for each account. It gives False if stop comes first."""
        account = f"{completion.provider}/{completion.subject}"
        lock = self._locks.setdefault(account, _Lock())
        lock.users += 1
        taking = asyncio.create_task(lock.lock.acquire())
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({taking, stopping}, return_when=asyncio.FIRST_COMPLETED)
            yield taking.done() and not stop.is_set()
        finally:
            stopping.cancel()
            if taking.done():
                lock.lock.release()
            else:
                taking.cancel()
            lock.users -= 1
            if lock.users == 0:
                del self._locks[account]

    async def _chunk(self, subject: str) -> bytes:
        chunk = await self._get(f"{_RECORDS}.{subject}")
        if chunk is None:
            raise RecordsGone("a chunk of the records is not there")
        return chunk

    async def _get(self, place: str) -> bytes | None:
        """Returns the last message on a subject of a stream, or None without one."""
        try:
            answer = await self._request(f"DIRECT.GET.{place}")
        except nats.errors.NoRespondersError as error:
            raise nats.errors.Error(
                "the team has no right to read there: ask the operator for its resources"
            ) from error
        status = _status(answer)
        if status == "404":
            return None
        if status:
            raise nats.errors.Error(f"the broker answers with the status {status}")
        return answer.data

    async def _request(self, subject: str) -> _Message:
        return await self._nc.request(self._api + subject, b"", timeout=_ANSWER_WITHIN)

    async def _open(self) -> None:
        self._nc = await self._open_connection()
        self._keeping_open = asyncio.create_task(self._keep_open())

    async def _keep_open(self) -> None:
        """Opens another connection when nats-py has closed the last one by itself."""
        told: _Connection | None = None  # the connection of which the log knows the end
        while True:
            # nats-py does not always tell that it has closed a connection.
            await asyncio.sleep(_REOPEN_EVERY)
            if not self._nc.is_closed:
                continue
            if self._nc is not told:
                told = self._nc
                why = "" if told.last_error is None else _describe(told.last_error)
                _log.warning("the connection to the broker has ended: %s", why)
            try:
                self._nc = await self._open_connection()
            except Exception as error:
                _log.warning("no connection to the broker: %s", _describe(error))
                continue
            _log.info("connected to the broker again")
            self._wake()

    async def _open_connection(self) -> _Connection:
        """Opens a connection, which connects again unless the broker refuses something."""
        nc = _Connection()
        options: dict[str, Any] = {}
        if self._config.seed_file:
            options["nkeys_seed_str"] = _seed(self._config.seed_file)
        if self._config.ca_file:
            options["tls"] = _authorities(self._config.ca_file)
        servers = [url.strip() for url in self._config.url.split(",")]
        failures: asyncio.Queue[Exception] = asyncio.Queue()
        is_open = False

        async def on_error(error: Exception) -> None:
            if not is_open:
                failures.put_nowait(error)
            else:
                _log.warning("the connection to the broker: %s", _describe(error))

        wants_tls = bool(self._config.ca_file) or any(
            url.startswith("tls://") for url in servers
        )

        async def on_reconnect() -> None:
            if wants_tls and not _is_encrypted(nc):
                _log.error("the broker does not use TLS any more: the connection is closed")
                await nc.close()
                return
            _log.info("connected to the broker again")
            self._wake()

        async def on_close() -> None:
            self._wake()

        async def all_failed() -> Exception:
            for _ in servers[1:]:
                await failures.get()
            return await failures.get()

        # nats-py would try for ever, also with a wrong key.
        opening = asyncio.create_task(
            nc.connect(
                servers=servers,
                name=f"wagewire-client-{self._config.team}",
                max_reconnect_attempts=-1,
                error_cb=on_error,
                reconnected_cb=on_reconnect,
                closed_cb=on_close,
                **options,
            )
        )
        failing = asyncio.create_task(all_failed())
        try:
            await asyncio.wait({opening, failing}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            failing.cancel()
            opening.cancel()
            await asyncio.wait({opening, failing})
        if opening.cancelled():
            raise _why_not_open(self._config, failing.result())
        _raise_import_error(opening.exception())
        is_open = True
        if wants_tls and not _is_encrypted(nc):
            await nc.close()
            raise ConfigError("NATS_URL or NATS_CA_FILE wants TLS, which the broker does not use")
        return nc

    def _wake(self) -> None:
        for reader in self._readers:
            reader.wake()


def _is_encrypted(nc: _Connection) -> bool:
    # nats-py sends everything in plain text to a broker that does not ask for TLS, and has no
    # public way to learn it.
    return bool(getattr(nc, "_server_info", {}).get("tls_required"))


def _place_in_name(path: Path) -> int:
    """Returns the place on the stream in the name of a file of aside_dir."""
    number = path.stem.rpartition("-")[2]
    return int(number) if number.isdecimal() else 0


def _seed(path: str) -> str:
    try:
        return Path(path).read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"NATS_SEED_FILE: cannot read {path}: {_reason(error)}") from error


def _authorities(path: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=path)
    except OSError as error:  # ssl.SSLError too
        raise ConfigError(f"NATS_CA_FILE: cannot read {path}: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or type(error).__name__


def _raise_import_error(error: BaseException | None) -> None:
    if isinstance(error, ImportError):
        raise ConfigError('a key needs the package nkeys: pip install "nats-py[nkeys]"') from error
    if error is not None:
        raise ConfigError(f"NATS_SEED_FILE has no seed of a key: {_describe(error)}") from error


def _why_not_open(config: Config, error: Exception) -> ConfigError:
    if "authorization" in str(error).lower():
        return ConfigError(
            "the broker refuses the key: check that NATS_SEED_FILE is the newest seed of team "
            f"{config.team}, and that the operator has reloaded the broker"
        )
    return ConfigError(f"the broker at NATS_URL is not there: {_describe(error)}")


def _describe(error: BaseException) -> str:
    """Returns the error for the log. The text of a foreign error may have personal data."""
    known = (nats.errors.Error, ConfigError, Poison, NotACompletion, RecordsGone, RecordsChanged)
    if isinstance(error, known) and not isinstance(error, OSError):
        return f"{type(error).__name__}: {error}"
    if isinstance(error, OSError):
        return f"{type(error).__name__}: {error.strerror}"
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    if place is None:
        return type(error).__name__
    code = place.tb_frame.f_code
    file = Path(code.co_filename).name
    return f"{type(error).__name__} in {code.co_name} ({file}:{place.tb_lineno})"


async def _hand_over(completion: Completion, handler: Handler) -> None:
    call = handler.remove if completion.outcome == "deleted" else handler.store
    done = call(completion)
    if inspect.isawaitable(done):  # a handler may have plain functions, which block the program
        await done


def _find(error: BaseException, kinds: tuple[type[Exception], ...]) -> BaseException | None:
    """Returns the first error of these kinds among the error and its causes."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, kinds):
            return cause
        cause = cause.__cause__
    return None


def _filter_of(subscription: Subscription) -> tuple[list[str], frozenset[str]]:
    """Returns the resources and the accounts. It refuses what would acknowledge all unseen."""
    for name in ("resources", "accounts"):
        if isinstance(getattr(subscription, name), str):
            raise TypeError(f"Subscription.{name} is a list of words, not a word")
    resources = list(subscription.resources)
    if unknown := set(resources).difference(RESOURCES):
        raise ValueError(f"no resources: {sorted(unknown)}: known are {sorted(RESOURCES)}")
    return resources, frozenset(subscription.accounts)


def _check_grant(
    team: str, durable: str, config: Mapping[str, Any], resources: Iterable[str]
) -> None:
    """ConfigError: the durable delivers no completion of some of the resources.

    Without the error, the kit would acknowledge everything that the durable delivers, and hand
    over nothing.
    """
    # One filter, or none: every completion.
    filters = config.get("filter_subjects") or [config.get("filter_subject") or ">"]
    granted = _resources_of(filters)
    if "*" in granted:
        return
    lacking = [resource for resource in dict.fromkeys(resources) if resource not in granted]
    if not lacking:
        return
    wanted = [resource for resource in granted if resource != "link"] + lacking
    raise ConfigError(
        f"durable {durable} does not deliver {', '.join(lacking)}: the operator grants it with "
        f"`wagewire team add {team or durable} --resources {','.join(wanted)}`"
    )


def _resources_of(filters: Iterable[str]) -> list[str]:
    """Returns the resources that filters of a durable name, each once. A wildcard is "*"."""
    resources = []
    for subject in filters:
        tokens = subject.split(".")
        resources.append("*" if len(tokens) < 4 or tokens[3] == ">" else tokens[3])
    return list(dict.fromkeys(resources))


@dataclass(frozen=True)
class _Failure:
    at: int  # the turn
    was_alone: bool


class _Reader:
    """One subscribe or catch_up: some hands, each of which asks the broker for one completion.

    The kit speaks the pull protocol of JetStream itself. nats-py's fetch cannot give back what the
    broker sends while it is stopped, and every method here is plain NATS in nats-py.
    """

    def __init__(
        self,
        client: Client,
        subscription: Subscription,
        handler: Handler,
        stop: asyncio.Event | None,
        until_empty: bool,
    ) -> None:
        if not 1 <= subscription.hands <= HANDS_MAX:
            raise ValueError(f"Subscription.hands is {subscription.hands}: want 1 to {HANDS_MAX}")
        if subscription.attempts_max < 1:
            raise ValueError("Subscription.attempts_max is below 1")
        self._client = client
        self._subscription = subscription
        self._handler = handler
        self._outer_stop = stop or asyncio.Event()
        self._until_empty = until_empty
        self._durable = subscription.durable or client._config.team
        if not re.fullmatch(r"[^\s.*>]+", self._durable):
            raise ValueError(f"{self._durable!r} is no durable: set Config.team")
        self._next = f"{client._api}CONSUMER.MSG.NEXT.{_COMPLETIONS}.{self._durable}"
        self._subscribed, accounts = _filter_of(subscription)
        self._resources = frozenset(self._subscribed)
        self._accounts = frozenset(token(id) for id in accounts)
        self._stop = asyncio.Event()
        self._queues: list[asyncio.Queue[_Message | None]] = []
        self._unseen = 0  # completions outside of the filter
        # The turns are numbers that grow with every end of a handler. Completions are known by
        # their places on the stream.
        self._turn = 0
        self._taken_at = 0  # when the handler last took records or a deletion
        self._failures: dict[int, _Failure] = {}  # the last one of each completion
        self._inspected_at = 0.0

    @property
    def _nc(self) -> _Connection:
        """The connection of now: another one may follow it."""
        return self._client._nc

    async def run(self) -> None:
        try:
            info = await self._look_for_durable()
        except nats.errors.NoRespondersError:
            raise self._no_durable() from None  # a team cannot ask about durables of others
        team = self._client._config.team
        _check_grant(team, self._durable, info.get("config") or {}, self._subscribed)
        self._client._readers.add(self)
        hands = [asyncio.create_task(self._hand()) for _ in range(self._subscription.hands)]
        outer = asyncio.create_task(self._outer_stop.wait())
        try:
            await asyncio.wait({outer, *hands}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            outer.cancel()
            self._stop.set()
            self.wake()
            try:
                await asyncio.wait(hands)
            finally:  # a second cancellation does not wait for those in hand
                for hand in hands:
                    hand.cancel()
                self._client._readers.discard(self)
        if self._unseen:
            self._tell_unseen()
        for hand in hands:
            if not hand.cancelled() and (error := hand.exception()):
                raise error
        if self._nc.is_connected:
            with contextlib.suppress(nats.errors.Error):
                await self._nc.flush()

    def wake(self) -> None:
        """Lets every hand that waits for the broker look again."""
        for queue in self._queues:
            queue.put_nowait(None)

    async def _hand(self) -> None:
        """Takes and handles completions, one at a time."""
        queue: asyncio.Queue[_Message | None] = asyncio.Queue()
        self._queues.append(queue)
        try:
            while not self._stop.is_set():
                if self._client._is_closed:
                    raise nats.errors.ConnectionClosedError
                if self._nc.is_connected:
                    with contextlib.suppress(*_AWAY):
                        await self._read_inbox(queue)
                else:
                    await self._pause(1)
        finally:
            self._stop.set()

    async def _read_inbox(self, queue: asyncio.Queue[_Message | None]) -> None:
        """Works until the stop, or until a request of the inbox is lost.

        A new inbox follows: what the broker still sends for the lost request is given back.
        """
        nc = self._nc
        inbox = nc.new_inbox()
        arrivals = await nc.subscribe(inbox, cb=queue.put)
        try:
            while not self._stop.is_set() and nc is self._nc:
                message = await self._take(queue, inbox)
                if message is None:
                    return
                if not _status(message):
                    await self._work(message)
                else:
                    await self._read_status(_status(message))
        finally:
            with contextlib.suppress(nats.errors.Error, asyncio.TimeoutError):
                if nc.is_connected:
                    await self._wait_for_turn(nc, queue, inbox)
                    await arrivals.drain()  # after it the broker sends nothing more here
                else:
                    await arrivals.unsubscribe()
            while not queue.empty():
                await self._give_back(queue.get_nowait())

    async def _wait_for_turn(
        self, nc: _Connection, queue: asyncio.Queue[_Message | None], inbox: str
    ) -> None:
        """Waits until the broker has looked at every request of the inbox.

        A request that the broker looks at after the inbox is gone would get a completion that
        nobody receives. The broker looks at requests in turn, and refuses this one at once.
        """
        # It waits for a nanosecond, and wants a sign of life in that time.
        request = {"batch": 1, "expires": 1, "idle_heartbeat": 1}
        await nc.publish(self._next, json.dumps(request).encode(), reply=inbox)
        while True:
            message = await asyncio.wait_for(queue.get(), _ANSWER_WITHIN)
            if _status(message) in ("400", "503"):
                return
            await self._give_back(message)

    async def _give_back(self, message: _Message | None) -> None:
        if message is not None and not _status(message):
            await self._publish(message, b"-NAK")

    async def _give_back_for(self, message: _Message, seconds: float) -> None:
        """Lets a completion come again after a pause."""
        await self._publish(message, b'-NAK {"delay":%d}' % int(seconds * 1e9))

    async def _publish(self, message: _Message, word: bytes) -> None:
        """Tells the broker about a delivery. Without the word the completion comes again later."""
        with contextlib.suppress(nats.errors.Error):
            await self._nc.publish(message.reply, word)

    async def _take(self, queue: asyncio.Queue[_Message | None], inbox: str) -> _Message | None:
        """Returns the next completion or status, or None if the request is lost, or for a stop."""
        await self._ask(inbox)
        while True:
            try:
                message = await asyncio.wait_for(queue.get(), _SILENCE_MAX)
            except asyncio.TimeoutError:
                return None
            if message is None or _status(message) != _HEARTBEAT:
                return message

    async def _ask(self, inbox: str) -> None:
        """Asks for one completion. Without one, catch_up learns it in a second."""
        wait_for = 1.0 if self._until_empty else _REQUEST_FOR
        request = {"batch": 1, "expires": int(wait_for * 1e9)}
        if not self._until_empty:
            request["idle_heartbeat"] = int(_HEARTBEAT_EVERY * 1e9)
        await self._nc.publish(self._next, json.dumps(request).encode(), reply=inbox)

    async def _read_status(self, status: str) -> None:
        if status in ("404", "408"):  # nothing came
            if self._until_empty and await self._is_empty():
                self._stop.set()
                self.wake()
            elif not self._until_empty:
                await self._inspect()
            return
        # The durable was removed, or its leader changes.
        _log.info("the broker ends a request with the status %s", status)
        with contextlib.suppress(nats.errors.Error):
            await self._look_for_durable()
        await self._pause(1)

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._stop.wait(), seconds)

    async def _look_for_durable(self) -> JsonObject:
        answer = await self._client._request(f"CONSUMER.INFO.{_COMPLETIONS}.{self._durable}")
        info = cast(JsonObject, loads(answer.data))
        error = info.get("error") or {}
        if error.get("code") == 404:
            raise self._no_durable()
        if error:
            raise nats.errors.Error(f"the durable: {error.get('description')}")
        return info

    def _no_durable(self) -> NoDurable:
        return NoDurable(
            f"no durable {self._durable!r} for the key of this program: a further durable of a "
            "team is named <team>_<name>; check the names and NATS_SEED_FILE, or ask the operator: "
            "wagewire team list, wagewire team add"
        )

    async def _inspect(self) -> None:
        """Tells if the durable stands still, because it lends no more than it has lent."""
        now = asyncio.get_running_loop().time()
        if now < self._inspected_at + _INSPECT_EVERY:
            return
        self._inspected_at = now
        with contextlib.suppress(nats.errors.Error):
            info = await self._look_for_durable()
            lent = info.get("num_ack_pending", 0)
            if 0 < info.get("config", {}).get("max_ack_pending", 0) <= lent:
                _log.error("the durable stands still: %d completions come again and again", lent)

    async def _is_empty(self) -> bool:
        try:
            info = await self._look_for_durable()
        except nats.errors.Error:
            return False
        return info.get("num_pending") == 0 and info.get("num_ack_pending") == 0

    async def _work(self, message: _Message) -> None:
        sign = asyncio.create_task(self._show_life(message))
        try:
            await self._handle(message)
        finally:
            sign.cancel()

    async def _show_life(self, message: _Message) -> None:
        while True:
            await asyncio.sleep(_SIGN_OF_LIFE_EVERY)
            await self._publish(message, b"+WPI")

    async def _handle(self, message: _Message) -> None:
        try:
            completion = self._client._parse(message.data, message.metadata.num_delivered)
        except NotACompletion as error:
            await self._set_aside(message, str(error))
            return
        if not self._wants(completion):
            await self._leave_out(message)
            return
        async with self._client._turn(completion, self._stop) as is_our_turn:
            if not is_our_turn:
                await self._give_back(message)
                return
            try:
                await _hand_over(completion, self._handler)
            except (Exception, asyncio.CancelledError) as error:
                task = asyncio.current_task()
                if task is not None and task.cancelling():
                    raise  # the program ends at once
                await self._fail(message, completion, error)
                return
        self._turn += 1
        if completion.outcome == "deleted" or completion.data.get("scope") is not None:
            self._taken_at = self._turn
        self._failures.pop(message.metadata.sequence.stream, None)
        await self._tell(message, b"+ACK")

    def _wants(self, completion: Completion) -> bool:
        if completion.outcome == "deleted":
            return True
        is_in = not self._resources or completion.resource in self._resources
        return is_in and (not self._accounts or completion.subject in self._accounts)

    async def _leave_out(self, message: _Message) -> None:
        self._unseen += 1
        if self._unseen % _UNSEEN_EVERY == 0:
            self._tell_unseen()
        await self._tell(message, b"+ACK")

    def _tell_unseen(self) -> None:
        _log.info("%d completions were outside of the filter so far", self._unseen)

    async def _tell(self, message: _Message, word: bytes) -> None:
        """Tells the broker that a delivery is over, and waits for its word.

        Without the word the completion comes again.
        """
        for _ in range(_TELL_TRIES):
            try:
                await self._nc.request(message.reply, word, timeout=_ANSWER_WITHIN)
                return
            except nats.errors.Error as error:
                _log.warning("%s: no word of the broker: %s", _place(message), _describe(error))
                if self._nc.is_closed:
                    await self._pause(_REOPEN_EVERY)

    async def _fail(
        self, message: _Message, completion: Completion, error: BaseException
    ) -> None:
        fails_alone = self._fails_alone(message.metadata.sequence.stream)
        why = self._why_poison(completion, error, fails_alone)
        # A deletion is never given up: the account's data would stay.
        if why and completion.outcome != "deleted":
            await self._set_aside(message, why)
            return
        pause = _pause_after(completion.attempt)
        _log.warning("%s comes again in %g s: %s", _place(message), pause, _describe(error))
        await self._give_back_for(message, pause)

    def _why_poison(
        self, completion: Completion, error: BaseException, fails_alone: bool
    ) -> str:
        """Returns why no other attempt helps, or nothing."""
        poison = _find(error, (Poison,))
        if poison is not None:
            return str(poison) or "the handler says that it is poison"
        are_lost = _find(error, (RecordsGone, RecordsChanged)) is not None
        is_last = completion.attempt >= self._subscription.attempts_max
        if is_last and (are_lost or fails_alone):
            return f"after {completion.attempt} attempts: {_describe(error)}"
        return ""

    def _fails_alone(self, sequence: int) -> bool:
        """Notes a failure, and reports whether others do not fail, twice in a row.

        Since the failure before, the handler took another completion, which needed the database;
        and no other failed after that. A database that is away fails everything, and one that
        comes back for a moment may fail a single completion alone, once.
        """
        before = self._failures.pop(sequence, None)
        other = max((failure.at for failure in self._failures.values()), default=0)
        is_alone = before is not None and self._taken_at > max(before.at, other)
        self._turn += 1
        if len(self._failures) > _FAILURES_MAX:
            self._failures.clear()
        self._failures[sequence] = _Failure(self._turn, is_alone)
        return is_alone and before is not None and before.was_alone

    async def _set_aside(self, message: _Message, why: str) -> None:
        """Keeps the message elsewhere and ends its deliveries."""
        keep = self._subscription.aside
        metadata = message.metadata
        if keep is None:
            _log.error("%s is poison, and there is no aside: %s", _place(message), why)
            await self._give_back_for(message, PAUSE_MAX)
            return
        try:
            kept = keep(Poisoned(message.data, why, metadata.stream, metadata.sequence.stream))
            if inspect.isawaitable(kept):
                await kept
        except Exception as error:
            _log.error("%s cannot be set aside: %s", _place(message), _describe(error))
            await self._give_back_for(message, PAUSE_MAX)
            return
        _log.error("%s is set aside: %s", _place(message), why)
        self._failures.pop(metadata.sequence.stream, None)
        await self._tell(message, b"+TERM")


def _pause_after(attempt: int) -> float:
    """Returns the pause after an attempt, in seconds: each is twice the one before."""
    return min(PAUSE_MIN * 2 ** min(attempt - 1, 30), PAUSE_MAX)


def _status(message: _Message | None) -> str:
    """Returns the status of an answer of the broker that is no message, or nothing."""
    return ((message and message.headers) or {}).get("Status", "")


def _place(message: _Message) -> str:
    metadata = message.metadata
    return f"completion {metadata.sequence.stream}, attempt {metadata.num_delivered},"


@dataclass(frozen=True)
class Entry:
    """A record of a Mirror, with what the record itself does not say."""

    record: JsonObject = field(repr=False)
    employment_id: str | None = None
    """Whose a paystub is, as its newest completion says: Truv's statements do not name their
    employment. None if the completion names none, and in other resources, where employment_id says
    nothing of the records."""


@dataclass(frozen=True)
class _Kept:
    """The last word about a record."""

    record: JsonObject | None  # None: removed
    order: str
    employment_id: str | None = None

    def pay_date(self) -> str:
        date = (self.record or {}).get("pay_date")
        return date if isinstance(date, str) else ""


@dataclass
class _Shelf:
    """A team's records of one account and resource."""

    kept: dict[str, _Kept] = field(default_factory=dict)
    snapshot: str = ""  # the order of the newest one
    windows: list[tuple[str, str | None, str | None]] = field(default_factory=list)

    def keep(self, id: str, now: _Kept) -> None:
        before = self.kept.get(id)
        if before is None or before.order < now.order:
            self.kept[id] = now

    def is_gone(self, kept: _Kept) -> bool:
        if kept.record is None or kept.order < self.snapshot:
            return True
        date = kept.pay_date()
        return date != "" and any(
            kept.order < at and (begin is None or begin <= date) and (end is None or date <= end)
            for at, begin, end in self.windows
        )


def _words(completion: Completion, records: Iterable[JsonObject]) -> dict[str, _Kept]:
    """Returns the completion's word about each id. A record counts more than its removal."""
    words = {id: _Kept(None, completion.order) for id in completion.data.get("deleted") or []}
    is_snapshot = completion.data.get("scope") == "snapshot"
    is_paystubs = completion.resource == "paystubs"
    employment_id = completion.data.get("employment_id") if is_paystubs else None
    for place, record in enumerate(records):
        # The payload of a notice has no id of its own.
        id = completion.id if completion.resource == "notices" else record.get("id")
        has_id = isinstance(id, str) and id != ""
        if not has_id and is_snapshot:
            # Truv's bank accounts have no ids, and Truv promises none of other records. A snapshot
            # has all of them, so the place will do.
            id = f"{place:06}"
        if not isinstance(id, str) or not id:
            raise Poison("a record has no id")
        words[id] = _Kept(record, completion.order, employment_id)
    return words


class Mirror:
    """A team's copy of the records in memory, by the rules of "Ordering" in the contract.

    The copy is the same whatever the order of the completions, and however often each comes. A
    program that keeps its records in a database does what Mirror does.
    """

    def __init__(self) -> None:
        self._shelves: dict[tuple[str, str], dict[str, _Shelf]] = {}
        self._deleted: set[tuple[str, str]] = set()

    async def store(self, completion: Completion) -> None:
        """Applies a completion with its records: a Mirror is a Handler."""
        self.apply(completion, [record async for record in completion.records()])

    async def remove(self, completion: Completion) -> None:
        """Removes everything of the completion's account, for good."""
        self.apply(completion, [])

    def apply(self, completion: Completion, records: Iterable[JsonObject]) -> None:
        """Applies a completion and its records. Poison: a record of no snapshot has no id."""
        words = _words(completion, records)
        account = (completion.provider, completion.subject)
        if completion.outcome == "deleted":
            self._deleted.add(account)
            self._shelves.pop(account, None)
        scope = completion.data.get("scope")
        if account in self._deleted or scope is None:
            return
        resources = self._shelves.setdefault(account, {})
        shelf = resources.setdefault(completion.resource, _Shelf())
        at = completion.order
        if at <= shelf.snapshot:
            return
        if scope == "snapshot":
            shelf.snapshot = at
            shelf.windows = [window for window in shelf.windows if window[0] >= at]
        elif scope == "window":
            shelf.windows.append((at, completion.data.get("from"), completion.data.get("to")))
        for id, word in words.items():
            shelf.keep(id, word)

    def records(self, provider: str, account_id: str, resource: str) -> list[JsonObject]:
        """Returns the present records of an account by their ids, or as the provider lists them."""
        return [entry.record for entry in self.entries(provider, account_id, resource)]

    def entries(self, provider: str, account_id: str, resource: str) -> list[Entry]:
        """Returns what records returns, and says of each paystub whose it is."""
        shelf = self._shelves.get((provider, token(account_id)), {}).get(resource, _Shelf())
        present = sorted((id, kept) for id, kept in shelf.kept.items() if not shelf.is_gone(kept))
        return [
            Entry(kept.record, kept.employment_id)
            for _, kept in present
            if kept.record is not None
        ]

    def is_deleted(self, provider: str, account_id: str) -> bool:
        """Reports whether the account was deleted."""
        return (provider, token(account_id)) in self._deleted
