"""Temporal's development server on a SQLite file: the chain of `benchmarks/peers.py`. Prints steps a second.

Run: `python temporal_chain.py HOST:PORT EXECUTIONS STEPS AT_ONCE`.
"""

import asyncio
import os
import sys
import time
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import Worker

_QUEUE = "bench"


@activity.defn
async def nothing() -> None:
    """A step that does nothing."""


@workflow.defn(sandboxed=False)
class Chain:
    """Steps one after the other."""

    @workflow.run
    async def run(self, steps: int) -> None:
        """Runs them."""
        for _ in range(steps):
            await workflow.execute_activity(nothing, start_to_close_timeout=timedelta(seconds=60))


async def main(address: str, executions: int, steps: int, at_once: int) -> float:
    """Steps a second."""
    client = await Client.connect(address)
    slots = asyncio.Semaphore(at_once)

    async def one(number: int) -> None:
        async with slots:
            await client.execute_workflow(Chain.run, steps, id=f"bench-{number}", task_queue=_QUEUE)

    async with Worker(client, task_queue=_QUEUE, workflows=[Chain], activities=[nothing]):
        await one(-1)
        began = time.perf_counter()
        await asyncio.gather(*(one(number) for number in range(executions)))
        return executions * steps / (time.perf_counter() - began)


if __name__ == "__main__":
    print(asyncio.run(main(sys.argv[1], *(int(number) for number in sys.argv[2:5]))), flush=True)
    os._exit(0)  # the SDK's own threads may abort a process that ends in the ordinary way
