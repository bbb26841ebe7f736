# Reads the completions of team lending until it is told to stop: pip install ./schema/clients/python
import asyncio
import logging

import wagewire


class Records:
    """Yours. The same completion may come again: keep each id once."""

    async def store(self, completion: wagewire.Completion) -> None:
        count = 0
        async for record in completion.records():
            count += 1
        print(completion.id, completion.outcome, count, flush=True)

    async def remove(self, completion: wagewire.Completion) -> None:
        print(completion.id, completion.outcome, flush=True)


async def main() -> None:
    stop = wagewire.stop_on_signals()
    config = wagewire.config_from_env("lending")
    async with await wagewire.connect(config) as client:
        subscription = wagewire.Subscription(aside=wagewire.aside_dir("aside"))
        await client.subscribe(subscription, Records(), stop)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    asyncio.run(main())
