"""A team's program for the tests, which tell it what to do as JSON in its first argument.

It prints a line of JSON for everything that happens, and reads the names of events that it may let
go from its standard input.
"""

import asyncio
import json
import logging
import resource
import sys
from typing import Any

import wagewire


def say(**what: Any) -> None:
    print(wagewire.dumps(what), flush=True)


class Lines(logging.Handler):
    """Says every line of the kit's log."""

    def emit(self, record: logging.LogRecord) -> None:
        say(did="logged", why=record.getMessage())


class Program:
    """Handles completions as the test wants it."""

    def __init__(self, orders: dict[str, Any]) -> None:
        self.fails = set(orders.get("fails", []))
        self.poisons = set(orders.get("poisons", []))
        self.holds = set(orders.get("holds", []))
        self.only_counts = orders.get("only_counts", False)
        self.released: dict[str, asyncio.Event] = {}

    def release(self, event: str) -> asyncio.Event:
        return self.released.setdefault(event, asyncio.Event())

    async def store(self, completion: wagewire.Completion) -> None:
        event = completion.data["event"]["id"]
        say(did="began", event=event, attempt=completion.attempt)
        if event in self.holds:
            await self.release(event).wait()
        if "all" in self.fails or event in self.fails:
            raise ConnectionError("Jane Doe earns 12345")
        if event in self.poisons:
            raise wagewire.Poison("no such employer")
        count = 0
        records = []
        async for record in completion.records():
            count += 1
            if not self.only_counts:
                records.append(wagewire.dumps(record))
        say(
            did="stored", event=event, attempt=completion.attempt, outcome=completion.outcome,
            count=count, records=records, unknown=completion.envelope.get("unknown"),
            order=completion.order,
        )  # fmt: skip

    async def remove(self, completion: wagewire.Completion) -> None:
        event = completion.data["event"]["id"]
        say(did="removing", event=event, attempt=completion.attempt)
        if event in self.fails:
            raise ConnectionError("Jane Doe earns 12345")
        if event in self.poisons:
            raise wagewire.Poison("no such employer")
        say(did="removed", event=event, account=completion.account_id)

    async def listen(self) -> None:
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
        )
        while line := await reader.readline():
            word, event = line.decode().split()
            if word == "recover":
                self.fails.clear()
                self.poisons.clear()
            else:
                self.release(event).set()


def peak() -> int:
    """Returns the most memory that the program has had, in KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


async def tell(stop: asyncio.Event) -> None:
    await stop.wait()
    say(did="stopping")


async def run(orders: dict[str, Any]) -> None:
    program = Program(orders)
    listening = asyncio.create_task(program.listen())
    stop = wagewire.stop_on_signals()
    telling = asyncio.create_task(tell(stop))
    aside = orders.get("aside")
    subscription = wagewire.Subscription(
        durable=orders.get("durable", ""),
        resources=orders.get("resources", []),
        accounts=orders.get("accounts", []),
        hands=orders.get("hands", 4),
        attempts_max=orders.get("attempts_max", wagewire.ATTEMPTS_MAX),
        aside=wagewire.aside_dir(aside) if aside else None,
    )
    config = wagewire.config_from_env(orders.get("team", "lending"))
    async with await wagewire.connect(config) as client:
        say(did="connected")
        if orders["do"] == "subscribe":
            await client.subscribe(subscription, program, stop)
        elif orders["do"] == "catch_up":
            before = peak()
            await client.catch_up(subscription, program, stop)
            say(did="caught up", grew=peak() - before)
        elif orders["do"] == "cancel":
            task = asyncio.create_task(client.subscribe(subscription, program))
            await stop.wait()
            task.cancel()
            await asyncio.wait({task})
            say(did="cancelled", cancelled=task.cancelled())
        elif orders["do"] == "account":
            for account in orders["accounts"]:
                state = await client.account("pinwheel", account)
                say(did="account", status=state and state["data"]["status"])
        elif orders["do"] == "retry":
            try:
                say(did="retried", taken=await client.retry_aside(aside, program))
            except ExceptionGroup as group:
                stay = [note for error in group.exceptions for note in error.__notes__]
                say(did="stay", files=stay)
    listening.cancel()
    telling.cancel()
    say(did="ended")


def main() -> int:
    logging.basicConfig(stream=sys.stderr, level=logging.INFO)
    logging.getLogger("wagewire").addHandler(Lines())
    orders = wagewire.loads(sys.argv[1])
    wagewire.PAUSE_MIN = 0.01
    wagewire.PAUSE_MAX = 0.05
    wagewire._REOPEN_EVERY = 0.05
    try:
        asyncio.run(run(orders))
    except (wagewire.ConfigError, wagewire.NoDurable) as error:
        say(did="refused", why=f"{type(error).__name__}: {error}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
