"""The connection: CONNECT, PING, SUB, UNSUB, PUB, MSG and HMSG over TCP."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from nats import errors
from nats.aio.msg import Msg

UNSENT_MAX = 2 << 20

_Callback = Callable[[], Awaitable[None]]
_Received = Callable[[Msg], Awaitable[None]]


class Client:
    def __init__(self) -> None:
        self._subs: dict[int, Subscription] = {}
        self._sids = 0
        self._pongs: list[asyncio.Future[None]] = []
        self._waiting: dict[str, asyncio.Future[Msg]] = {}
        self._inbox = ""
        self._unsent = bytearray()  # while the server is away
        self._writer: asyncio.StreamWriter | None = None
        self._reading: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None
        self._server_info: dict[str, Any] = {}
        self.is_closed = False
        self.last_error: Exception | None = None

    async def connect(
        self,
        servers: list[str],
        error_cb: Callable[[Exception], Awaitable[None]],
        closed_cb: _Callback,
        reconnected_cb: _Callback,
        name: str,
        max_reconnect_attempts: int,
        reconnect_time_wait: float = 2,
        nkeys_seed_str: str | None = None,
        tls: Any = None,
    ) -> None:
        assert max_reconnect_attempts == -1
        if nkeys_seed_str is not None:
            raise ModuleNotFoundError("No module named 'nkeys'")
        self._servers = servers
        self._on_error = error_cb
        self._on_close = closed_cb
        self._on_reconnect = reconnected_cb
        self._name = name
        self._wait = reconnect_time_wait
        reader = await self._open()
        self._reading = asyncio.create_task(self._read_for_ever(reader))

    async def _open(self) -> asyncio.StreamReader:
        """Tries every server in turn, for ever."""
        while True:
            for server in self._servers:
                try:
                    return await self._open_one(server)
                except (OSError, errors.Error) as error:
                    await self._on_error(error)
            await asyncio.sleep(self._wait)

    async def _open_one(self, server: str) -> asyncio.StreamReader:
        url = urlsplit(server)
        reader, writer = await asyncio.open_connection(url.hostname, url.port, limit=1 << 20)
        line = await reader.readline()
        self._server_info = json.loads(line.removeprefix(b"INFO "))
        options: dict[str, Any] = {
            "verbose": False, "pedantic": False, "lang": "python3", "protocol": 1,
            "headers": True, "no_responders": True, "name": self._name,
        }  # fmt: skip
        if url.username:
            options |= {"user": url.username, "pass": url.password}
        writer.write(b"CONNECT " + json.dumps(options).encode() + b"\r\nPING\r\n")
        line = await reader.readline()
        if not line.startswith(b"PONG"):
            writer.close()
            raise errors.Error("nats: " + line.decode().removeprefix("-ERR ").strip())
        for sub in self._subs.values():
            writer.write(f"SUB {sub.subject} {sub.sid}\r\n".encode())
        writer.write(bytes(self._unsent))
        self._unsent.clear()
        self._writer = writer
        return reader

    async def _read_for_ever(self, reader: asyncio.StreamReader) -> None:
        while True:
            with suppress(OSError, asyncio.IncompleteReadError):
                while line := await reader.readline():
                    await self._read(line, reader)
            if self._writer is not None:
                self._writer.close()
            self._writer = None
            self._pongs.clear()
            reader = await self._open()
            await self._on_reconnect()

    async def _read(self, line: bytes, reader: asyncio.StreamReader) -> None:
        word, *rest = line.decode().split()
        if word == "PING":
            self._send(b"PONG\r\n")
        elif word == "PONG":
            pong = self._pongs.pop(0)
            if not pong.done():
                pong.set_result(None)
        elif word in ("MSG", "HMSG"):
            await self._receive(word, rest, reader)
        elif word == "-ERR":
            await self._read_error(line.decode().removeprefix("-ERR ").strip())

    async def _read_error(self, text: str) -> None:
        """Closes the connection for good, as nats-py does at most errors, without error_cb."""
        if "stale connection" in text.lower():
            return  # the server closes the connection, and another one follows
        self.last_error = errors.Error("nats: " + text)
        if "permissions violation" in text.lower():
            await self._on_error(self.last_error)
            return
        self._closing = asyncio.create_task(self.close())

    async def _receive(self, word: str, rest: list[str], reader: asyncio.StreamReader) -> None:
        size = int(rest[-1])
        head = int(rest[-2]) if word == "HMSG" else 0
        reply = rest[2] if len(rest) == (5 if head else 4) else ""
        text = (await reader.readexactly(size + 2))[:-2]
        headers = _headers(text[:head]) if head else None
        sub = self._subs.get(int(rest[1]))
        if sub is not None:
            sub.arrivals.put_nowait(Msg(rest[0], reply, text[head:], headers))

    def _send(self, text: bytes) -> None:
        if self._writer is None:
            self._unsent += text
        else:
            self._writer.write(text)

    async def publish(self, subject: str, payload: bytes = b"", reply: str = "") -> None:
        if self.is_closed:
            raise errors.ConnectionClosedError
        if not self.is_connected and len(payload) + len(self._unsent) > UNSENT_MAX:
            raise errors.OutboundBufferLimitError
        self._send(f"PUB {subject} {reply} {len(payload)}\r\n".encode() + payload + b"\r\n")

    async def request(self, subject: str, payload: bytes = b"", timeout: float = 0.5) -> Msg:
        if not self._inbox:
            self._inbox = self.new_inbox()
            await self.subscribe(self._inbox + ".*", cb=self._answer)
        token = secrets.token_hex(8)
        answer: asyncio.Future[Msg] = asyncio.get_running_loop().create_future()
        self._waiting[token] = answer
        try:
            await self.publish(subject, payload, reply=f"{self._inbox}.{token}")
            msg = await asyncio.wait_for(answer, timeout)
        except asyncio.TimeoutError:
            raise errors.TimeoutError from None
        finally:
            del self._waiting[token]
        if msg.headers and msg.headers.get("Status") == "503":
            raise errors.NoRespondersError
        return msg

    async def _answer(self, msg: Msg) -> None:
        answer = self._waiting.get(msg.subject.rpartition(".")[2])
        if answer is not None and not answer.done():
            answer.set_result(msg)

    def new_inbox(self) -> str:
        return "_INBOX." + secrets.token_hex(11)

    async def subscribe(self, subject: str, cb: _Received) -> Subscription:
        if self.is_closed:
            raise errors.ConnectionClosedError
        self._sids += 1
        sub = Subscription(self, self._sids, subject, cb)
        self._subs[sub.sid] = sub
        self._send(f"SUB {subject} {sub.sid}\r\n".encode())
        return sub

    async def flush(self, timeout: float = 10) -> None:
        if self.is_closed:
            raise errors.ConnectionClosedError
        pong: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._pongs.append(pong)
        self._send(b"PING\r\n")
        try:
            await asyncio.wait_for(pong, timeout)
        except asyncio.TimeoutError:
            raise errors.TimeoutError from None

    @property
    def is_connected(self) -> bool:
        return self._writer is not None and not self.is_closed

    async def close(self) -> None:
        if self.is_closed:
            return
        self.is_closed = True
        if self._reading is not None:
            self._reading.cancel()
        for sub in self._subs.values():
            sub.calling.cancel()
        if self._writer is not None:
            self._writer.close()
            with suppress(OSError):
                await self._writer.wait_closed()
        await self._on_close()


class Subscription:
    def __init__(self, nc: Client, sid: int, subject: str, cb: _Received) -> None:
        self._nc = nc
        self.sid = sid
        self.subject = subject
        self.arrivals: asyncio.Queue[Msg] = asyncio.Queue()
        self.calling = asyncio.create_task(self._call(cb))

    async def _call(self, cb: _Received) -> None:
        while True:
            msg = await self.arrivals.get()
            await cb(msg)
            self.arrivals.task_done()

    async def drain(self) -> None:
        if self._nc.is_closed:
            raise errors.ConnectionClosedError
        self._nc._send(f"UNSUB {self.sid}\r\n".encode())
        await self._nc.flush()
        await self.arrivals.join()
        self._end()

    async def unsubscribe(self) -> None:
        if self._nc.is_closed:
            raise errors.ConnectionClosedError
        if self._nc.is_connected:
            self._nc._send(f"UNSUB {self.sid}\r\n".encode())
        self._end()

    def _end(self) -> None:
        self.calling.cancel()
        del self._nc._subs[self.sid]


def _headers(text: bytes) -> dict[str, str]:
    first, *lines = text.decode().strip().split("\r\n")
    status = first.removeprefix("NATS/1.0").strip()
    headers = {"Status": status[:3], "Description": status[4:]} if status else {}
    for line in lines:
        key, _, value = line.partition(":")
        headers[key.strip()] = value.strip()
    return headers
