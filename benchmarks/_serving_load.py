"""Keeps a server under load: as many requests as connections are open at any time.

A process of its own, so that it takes no time of the server's. It prints one line of
JSON: requests, seconds, errors, and percentiles of the milliseconds of a request.

    python benchmarks/_serving_load.py HOST:PORT PATH BODY SECONDS CONNECTIONS
    python benchmarks/_serving_load.py --grpc HOST:PORT MODEL BODY SECONDS CONNECTIONS
"""

import asyncio
import json
import sys
import time
from pathlib import Path

import numpy as np


class Connection(asyncio.Protocol):
    """Sends a request as soon as the former one is answered."""

    def __init__(self, request, load):
        self.request, self.load = request, load

    def connection_made(self, transport):
        self.transport, self.data = transport, b""
        self.send()

    def send(self):
        self.start = time.perf_counter()
        self.transport.write(self.request)

    def data_received(self, data):
        self.data += data
        head, found, body = self.data.partition(b"\r\n\r\n")
        if not found:
            return
        fields = head.lower().split(b"\r\n")
        length = next(int(f[15:]) for f in fields if f.startswith(b"content-length:"))
        if len(body) < length:
            return
        self.data = b""
        ok = head[9:12] == b"200"
        if self.load.note(self.start, ok, body if ok else b""):
            self.send()
        else:
            self.transport.close()


class Load:
    """What has been counted; the first answer is the one that all have to be equal to."""

    def __init__(self, seconds):
        self.end = time.perf_counter() + seconds
        self.seconds, self.milliseconds, self.errors, self.first = seconds, [], 0, None

    def note(self, start, ok, body):
        now = time.perf_counter()
        if self.first is None and ok:
            self.first = body
        if not ok or body != self.first:
            self.errors += 1
        self.milliseconds.append(1000 * (now - start))
        return now < self.end

    def as_json(self):
        taken = np.array(self.milliseconds)
        quantiles = {f"p{q}": float(np.percentile(taken, q)) for q in (50, 99)}
        rate = len(taken) / self.seconds
        return {
            "requests": len(taken),
            "rate": rate,
            "errors": self.errors,
            **quantiles,
        }


def http_request(address, path, body):
    """A whole request in bytes."""
    return (
        f"POST {path} HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    ).encode() + body


async def over_http(address, path, body, seconds, connections):
    load, loop = Load(seconds), asyncio.get_running_loop()
    host, port = address.split(":")
    request = http_request(address, path, body)
    for _ in range(connections):
        await loop.create_connection(lambda: Connection(request, load), host, int(port))
    await asyncio.sleep(seconds + 0.5)
    return load


async def over_grpc(address, model, body, seconds, connections):
    """The body is the file of a serialised request."""
    import grpc

    load = Load(seconds)
    method = "/inference.GRPCInferenceService/ModelInfer"

    async def client():
        async with grpc.aio.insecure_channel(
            address, options=[("grpc.use_local_subchannel_pool", 1)]
        ) as channel:
            call = channel.unary_unary(method)  # bytes in, bytes out
            while True:
                start = time.perf_counter()
                answer = await call(body)
                if not load.note(start, True, answer):
                    return

    await asyncio.gather(*(client() for _ in range(connections)))
    return load


def main(arguments):
    run = over_grpc if arguments[0] == "--grpc" else over_http
    address, path, body, seconds, connections = arguments[-5:]
    content = Path(body).read_bytes()
    load = run(address, path, content, float(seconds), int(connections))
    print(json.dumps(asyncio.run(load).as_json()))


if __name__ == "__main__":
    main(sys.argv[1:])
