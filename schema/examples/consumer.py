# Reads paystubs completions: pip install nats-py
import asyncio
import json
import os

import nats


async def store(id, data):
    """Yours. The same id may come again: store it once."""
    print(id, data["outcome"])


async def main():
    nc = await nats.connect(os.environ.get("NATS_URL", "nats://127.0.0.1:4222"))
    consumer = await nc.jetstream().pull_subscribe(
        "wagewire.completions.*.paystubs.>", durable="lending", stream="WAGEWIRE_COMPLETIONS"
    )
    while True:
        try:
            messages = await consumer.fetch(10, timeout=30)
        except nats.errors.TimeoutError:
            continue
        for msg in messages:
            completion = json.loads(msg.data)
            await store(completion["id"], completion["data"])
            await msg.ack()


if __name__ == "__main__":
    asyncio.run(main())
