"""A small web server as a user's image would hold it: keep-alive, slow answers, a WebSocket echo, a soft stop.

/ says which version and port answered, /healthz is 200 or what HEALTH says, /slow streams a line every 0.1 s for the
given number of tenths, /environment gives the environment, /metrics a gauge of all other requests under way, /crash exits.
TERM: no new connections, finish, exit.
"""

# It stands for a program of a user, with nothing of ours in it:
# ruff: noqa: ANN001, ANN201, T201, TID251, PTH109, ASYNC110, S324

import asyncio
import base64
import hashlib
import json
import os
import signal
import sys

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
busy = set()
stopping = asyncio.Event()


async def main():
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stopping.set)
    server = await asyncio.start_server(serve, os.environ.get("HOST", "127.0.0.1"), int(os.environ["PORT"]))
    print("listening on", os.environ["PORT"], flush=True)
    if os.environ.get("CRASH_SECONDS"):
        loop.call_later(float(os.environ["CRASH_SECONDS"]), os._exit, 3)
    await stopping.wait()
    server.close()
    while busy:
        await asyncio.sleep(0.02)
    print("bye", flush=True)


async def serve(reader, writer):
    try:
        while True:
            waiting = [asyncio.ensure_future(reader.readuntil(b"\r\n\r\n")), asyncio.ensure_future(stopping.wait())]
            done, rest = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for one in rest:
                one.cancel()
            if waiting[0] not in done:
                return
            head = waiting[0].result().decode()
            busy.add(writer)
            try:
                await answer(head, reader, writer)
            finally:
                busy.discard(writer)
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def answer(head, reader, writer):
    path = head.split()[1]
    length = [line for line in head.lower().splitlines() if line.startswith("content-length:")]
    if length:
        await reader.readexactly(int(length[0].split(":")[1]))
    if path == "/healthz":
        reply(writer, int(os.environ.get("HEALTH", "200")), "health")
    elif path == "/environment":
        reply(writer, 200, json.dumps({"environment": dict(os.environ), "folder": os.getcwd(), "argv": sys.argv}))
    elif path == "/metrics":
        gauge = "http_requests_in_flight"
        reply(writer, 200, f"# TYPE {gauge} gauge\n{gauge} {len(busy) - 1}\n")
    elif path == "/crash":
        os._exit(3)
    elif path.startswith("/slow/"):
        await slow(writer, int(path.rpartition("/")[2]))
    elif path == "/socket":
        await socket(head, reader, writer)
    else:
        reply(writer, 200, os.environ.get("VERSION", "") + ":" + os.environ["PORT"])
    await writer.drain()


def reply(writer, status, text):
    body = text.encode()
    writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)


async def slow(writer, tenths):
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(tenths):
        writer.write(b"5\r\ntick\n\r\n")
        await writer.drain()
        await asyncio.sleep(0.1)
    writer.write(b"0\r\n\r\n")


async def socket(head, reader, writer):
    key = next(line.split(": ")[1] for line in head.splitlines() if line.lower().startswith("sec-websocket-key"))
    accept = base64.b64encode(hashlib.sha1((key + GUID).encode()).digest()).decode()
    writer.write(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {accept}\r\n\r\n".encode()
    )
    while True:
        first, second = await reader.readexactly(2)
        mask = await reader.readexactly(4)
        data = bytes(b ^ mask[i % 4] for i, b in enumerate(await reader.readexactly(second & 127)))
        writer.write(bytes([first, len(data)]) + data)
        await writer.drain()
        if first & 15 == 8:
            raise ConnectionError("closed by the client")


asyncio.run(main())
