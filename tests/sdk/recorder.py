#!/usr/bin/env python3
"""A WebSocket proxy that writes down what passes.

Listens on a free loopback port (prints `listening PORT`), opens one upstream connection for each incoming one with the
same query and credentials, and passes frames and close codes on unchanged. Each frame becomes one JSON line in --out:
{"connection": 1, "direction": "up" or "down", "raw": TEXT}; a binary frame has raw null and its length in "bytes".
With --upgrades the requests themselves become lines of a file of their own: {"connection": 1, "path": "/v1/listen?…",
"headers": [[NAME, VALUE], …]}, and the path of each is put behind that of --upstream.
"""

import argparse
import asyncio
import itertools
import json
import signal
import urllib.parse

from websockets.asyncio.client import connect
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed, WebSocketException

FORWARDED_HEADERS = ("Authorization", "api-key", "OpenAI-Beta", "OpenAI-Organization", "OpenAI-Project")
LIMITS = dict(max_size=32 * 1024 * 1024, compression=None, proxy=None)


async def pump(source, sink, log):
    try:
        async for frame in source:
            log(frame)
            await sink.send(frame)
    except ConnectionClosed:
        pass
    # 1005 and 1006 say that there was no code; they may not be sent.
    code = source.close_code
    await sink.close(1000 if code in (None, 1005) else 1011 if code == 1006 else code, source.close_reason or "")


async def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--upstream", required=True, help="ws://HOST:PORT/PATH")
    parser.add_argument("--out", required=True)
    parser.add_argument("--upgrades")
    args = parser.parse_args()
    connections = itertools.count(1)
    out = open(args.out, "w", encoding="utf-8")
    upgrades = open(args.upgrades, "w", encoding="utf-8") if args.upgrades else None

    async def handle(client):
        number = next(connections)

        def log_as(direction):
            def log(frame):
                line = {"connection": number, "direction": direction, "raw": frame}
                if isinstance(frame, bytes):
                    line |= {"raw": None, "bytes": len(frame)}
                # Flushed before the frame goes on: whoever has seen its effect finds it in the file.
                print(json.dumps(line), file=out, flush=True)

            return log

        path, _, query = client.request.path.partition("?")
        target = urllib.parse.urlsplit(args.upstream)
        if upgrades:
            target = target._replace(path=target.path + path)
            headers = list(client.request.headers.raw_items())
            line = {"connection": number, "path": client.request.path, "headers": headers}
            print(json.dumps(line), file=upgrades, flush=True)
        target = target._replace(query="&".join(q for q in (target.query, query) if q)).geturl()
        headers = [(name, client.request.headers[name]) for name in FORWARDED_HEADERS if name in client.request.headers]
        try:
            upstream = await connect(target, additional_headers=headers, **LIMITS)
        except (OSError, WebSocketException) as error:
            await client.close(1011, f"upstream: {error}"[:120])
            return
        await asyncio.gather(pump(client, upstream, log_as("up")), pump(upstream, client, log_as("down")))

    limits = {key: value for key, value in LIMITS.items() if key != "proxy"}
    async with serve(handle, "127.0.0.1", 0, **limits) as server:
        print(f"listening {server.sockets[0].getsockname()[1]}", flush=True)
        stop = asyncio.Event()
        for name in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(name, stop.set)
        await stop.wait()


asyncio.run(main())
