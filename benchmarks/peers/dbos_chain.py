"""DBOS: the chain of `benchmarks/peers.py`, run by its own Python. Prints steps a second.

Run: `python dbos_chain.py URL EXECUTIONS STEPS AT_ONCE`; URL is a SQLAlchemy URL of an empty database.
"""

import asyncio
import sys
import time

from dbos import DBOS


@DBOS.step()
async def nothing() -> None:
    """A step that does nothing."""


@DBOS.workflow()
async def chain(steps: int) -> None:
    """Steps one after the other."""
    for _ in range(steps):
        await nothing()


async def main(executions: int, steps: int, at_once: int) -> float:
    """Steps a second."""
    slots = asyncio.Semaphore(at_once)

    async def one() -> None:
        async with slots:
            await chain(steps)

    await one()  # whatever is done once is done
    began = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(executions)))
    return executions * steps / (time.perf_counter() - began)


if __name__ == "__main__":
    DBOS(config={"name": "bench", "system_database_url": sys.argv[1], "log_level": "ERROR"})
    DBOS.launch()
    print(asyncio.run(main(*(int(number) for number in sys.argv[2:5]))))
    DBOS.destroy()
