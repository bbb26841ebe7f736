# Reads the completions of team lending: pip install "nats-py[nkeys]"
import asyncio
import hashlib
import json
import os
from decimal import Decimal

import nats

CHUNKS = "$JS.wagewire.API.DIRECT.GET.OBJ_WAGEWIRE_RECORDS."


async def store(id, data, records):
    """Yours. The same id may come again: store it once."""
    print(id, data["outcome"], len(records))


async def remove(id, data):
    """Yours. Delete what you have of the account."""
    print(id, data["outcome"])


async def fetch_records(nc, ref):
    """Reads the records of a large completion, chunk by chunk."""
    text = b""
    for n in range(1, ref["chunks"] + 1):
        chunk = await nc.request(f"{CHUNKS}{ref['subject']}.{n}", timeout=5)
        if chunk.headers and chunk.headers.get("Status"):
            raise ValueError(f"chunk {n} of {ref['subject']}: {chunk.headers['Status']}")
        text += chunk.data
    if hashlib.sha256(text).hexdigest() != ref["sha256"]:
        raise ValueError(f"the chunks of {ref['subject']} do not have its sha256")
    return json.loads(text, parse_float=Decimal)


async def handle(nc, body):
    completion = json.loads(body, parse_float=Decimal)
    data = completion["data"]
    if data["outcome"] == "deleted":
        return await remove(completion["id"], data)
    if "records_ref" in data:
        return await store(completion["id"], data, await fetch_records(nc, data["records_ref"]))
    await store(completion["id"], data, data["records"])


async def main():
    nc = await nats.connect(
        os.environ.get("NATS_URL", "nats://127.0.0.1:4222"),
        max_reconnect_attempts=-1,  # the broker may be away for long
        nkeys_seed=os.environ.get("NATS_SEED_FILE"),  # the sandbox needs none
    )
    js = nc.jetstream(domain="wagewire")
    consumer = await js.pull_subscribe_bind(durable="lending", stream="WAGEWIRE_COMPLETIONS")
    while True:
        try:
            messages = await consumer.fetch(10, timeout=30)
        except nats.errors.TimeoutError:
            continue
        for msg in messages:
            try:
                await handle(nc, msg.data)
            except Exception as error:
                print("again in a minute:", error)
                await msg.nak(delay=60)
            else:
                await msg.ack()


if __name__ == "__main__":
    asyncio.run(main())
