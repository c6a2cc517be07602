"""A server on this machine that speaks OpenAI's chat protocol and plays a script, with streaming and tool calls."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Reply:
    """One answer: a text, tool calls as (name, arguments as text), an HTTP error, or a pause before it."""

    text: str = ""
    calls: tuple[tuple[str, str], ...] = ()
    status: int = 200
    pause: float = 0.0
    broken: bool = False


@dataclass
class Played:
    """What the server plays, and what it was asked."""

    script: list[Reply]
    url: str = ""
    asked: list[dict[str, Any]] = field(default_factory=list)


@contextmanager
def openai_server(*script: Reply) -> Iterator[Played]:
    played = Played(list(script))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            pass

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            played.asked.append(body)
            reply = played.script.pop(0) if played.script else Reply(status=418)
            time.sleep(reply.pause)
            try:
                if reply.status != 200:
                    self._whole(reply.status, {"error": {"message": "no \x1b[31m luck", "type": "toy"}})
                elif body.get("stream"):
                    self._stream(reply)
                else:
                    self._whole(200, _completion(reply))
            except (BrokenPipeError, ConnectionResetError):
                pass  # the client gave up, as in the test of time-outs

        def _whole(self, status: int, value: Any) -> None:
            content = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def _stream(self, reply: Reply) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Connection", "close")
            self.end_headers()
            self.close_connection = True
            for delta in _deltas(reply):
                self._event(_chunk(delta))
            if reply.broken:
                return
            self._event(_chunk({}, "tool_calls" if reply.calls else "stop"))
            usage = {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}
            self._event({**_chunk({}), "choices": [], "usage": usage})
            self.wfile.write(b"data: [DONE]\n\n")

        def _event(self, value: Any) -> None:
            self.wfile.write(f"data: {json.dumps(value)}\n\n".encode())
            self.wfile.flush()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    played.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    try:
        yield played
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _deltas(reply: Reply) -> Iterator[dict[str, Any]]:
    yield {"role": "assistant", "content": ""}
    for word in reply.text.split(" ") if reply.text else ():
        yield {"content": f"{word} "}
    for number, (name, arguments) in enumerate(reply.calls):
        function = {"name": name, "arguments": ""}
        yield {"tool_calls": [{"index": number, "id": f"call_{name}", "type": "function", "function": function}]}
        for place in range(0, len(arguments), 7):
            yield {"tool_calls": [{"index": number, "function": {"arguments": arguments[place : place + 7]}}]}


def _chunk(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "toy", "choices": [choice]}


def _completion(reply: Reply) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": reply.text}
    if reply.calls:
        message["tool_calls"] = [
            {"id": f"call_{name}", "type": "function", "function": {"name": name, "arguments": arguments}}
            for name, arguments in reply.calls
        ]
    return {
        "id": "c",
        "object": "chat.completion",
        "created": 1,
        "model": "toy",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100},
    }
