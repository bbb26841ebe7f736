"""Answers the eight questions of a team that lends, with the kit alone.

The questions come as JSON on standard input; the answers go as JSON to standard output.
"""

import asyncio
import json
import sys
from decimal import Context, Decimal

from wagewire import Client, Completion, Mirror, Subscription, config_from_env, connect, normal_of

RESOURCES = ["employment", "identity", "income", "paystubs", "shifts"]

# More digits than any sum has: the default context rounds to 28.
EXACT = Context(prec=1000)


class Lender:
    """Keeps a copy of the records, and the accounts that lost their link or were deleted."""

    def __init__(self) -> None:
        self.mirror = Mirror()
        self.broken: dict[str, str] = {}
        self.deleted: dict[str, str] = {}

    async def store(self, completion: Completion) -> None:
        if completion.outcome == "disconnected" and completion.account_id:
            self.broken[completion.account_id] = completion.provider
        await self.mirror.store(completion)

    async def remove(self, completion: Completion) -> None:
        if completion.account_id:
            self.deleted[completion.account_id] = completion.provider
        await self.mirror.remove(completion)

    async def still_broken(self, client: Client) -> list[str]:
        """Asks for the present state: an account may have been connected again, or deleted."""
        broken = []
        for account, provider in self.broken.items():
            state = await client.account(provider, account)
            if state and state["data"]["status"] == "disconnected":
                broken.append(account)
        return sorted(broken)

    def left(self) -> int:
        """Counts the records of deleted accounts, of which none may be left."""
        return sum(
            len(self.mirror.records(provider, account, resource))
            for account, provider in self.deleted.items()
            for resource in [*RESOURCES, "link"]
        )


class Changes:
    """Notes which completions come."""

    def __init__(self) -> None:
        self.ids: list[str] = []

    async def store(self, completion: Completion) -> None:
        self.ids.append(completion.id)

    remove = store


def latest_income(mirror: Mirror, account: str) -> dict[str, str]:
    [record] = mirror.records("pinwheel", account, "income")
    income = normal_of("pinwheel", "income", record)["income"]
    pay = income["compensation"]
    return {
        "amount": pay["minor"],
        "unit": income["unit"]["word"],
        "currency": pay["currency"],
    }


def sums_of(mirror: Mirror, account: str) -> dict[str, object]:
    net = 0
    hours = Decimal(0)
    paystubs = mirror.records("pinwheel", account, "paystubs")
    for record in paystubs:
        paystub = normal_of("pinwheel", "paystubs", record)["paystub"]
        net += paystub["net_pay"]["minor"]
        for earning in paystub.get("earnings", []):
            hours = EXACT.add(hours, Decimal(earning.get("hours", "0")))
    return {"count": len(paystubs), "net": str(net), "hours": f"{EXACT.normalize(hours):f}"}


async def main() -> None:
    questions = json.load(sys.stdin)
    paid = questions["paid"]
    lender = Lender()
    changes = Changes()
    async with await connect(config_from_env("lending")) as client:
        await client.catch_up(Subscription(durable=questions["durable"]), lender)
        await client.catch_up(Subscription(durable=questions["changes"]), changes)
        state = await client.account("pinwheel", paid)
        broken = await lender.still_broken(client)
    mirror = lender.mirror
    print(json.dumps({
        "complete": state and state["data"]["status"],
        "income": latest_income(mirror, paid),
        "paystubs": sums_of(mirror, paid),
        "account": {r: len(mirror.records("pinwheel", paid, r)) for r in RESOURCES},
        "changed": sorted(changes.ids),
        "broken": broken,
        "large": sums_of(mirror, questions["large"]),
        "deleted": sorted(lender.deleted),
        "left": lender.left(),
    }))


if __name__ == "__main__":
    asyncio.run(main())
