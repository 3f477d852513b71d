"""gRPC services from plain functions, with Google's own message types."""

import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import grpc

from localcloud.pubsub.faults import Faults
from localcloud.storage.process import serve_until_told

THREADS = 64
"""A call that waits (a pull, a stream, a hang) holds one."""


class Refused(Exception):
    """The call is answered with this status and nothing was changed."""

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def not_here(what: str) -> Refused:
    """Something the real service may know and this one does not."""
    return Refused(grpc.StatusCode.UNIMPLEMENTED, f"The local service does not know {what}.")


def not_found(what: str) -> Refused:
    return Refused(grpc.StatusCode.NOT_FOUND, f"Resource not found ({what}).")


def invalid(message: str) -> Refused:
    return Refused(grpc.StatusCode.INVALID_ARGUMENT, message)


def allow_only(message: Any, fields: frozenset[str]) -> None:
    """Raises: Refused UNIMPLEMENTED when a field is set that would do nothing here."""
    unknown = [field.name for field, _ in type(message).pb(message).ListFields() if field.name not in fields]
    if unknown:
        raise not_here(f"{type(message).__name__}.{', '.join(unknown)}")


@dataclass(frozen=True, slots=True)
class Method:
    """One method: its name, the proto-plus types it takes and gives (None: Empty), and what it does.

    The function is given the request (the requests, when it streams) and grpc's context; it raises Refused.
    """

    name: str
    takes: type[Any]
    gives: type[Any] | None
    function: Callable[[Any, grpc.ServicerContext], Any]
    streams: bool = False


def service(name: str, methods: Sequence[Method], faults: Faults, latency: float = 0) -> grpc.GenericRpcHandler:
    """The methods as the gRPC service of this full name; one that does not stream takes `latency` seconds longer."""
    return grpc.method_handlers_generic_handler(name, {one.name: _handler(one, faults, latency) for one in methods})


def _handler(method: Method, faults: Faults, latency: float) -> grpc.RpcMethodHandler:
    serialize = _empty if method.gives is None else method.gives.serialize
    if method.streams:
        return grpc.stream_stream_rpc_method_handler(_streaming(method, faults), method.takes.deserialize, serialize)
    return grpc.unary_unary_rpc_method_handler(_unary(method, faults, latency), method.takes.deserialize, serialize)


def _empty(_: None) -> bytes:
    """google.protobuf.Empty has no fields, and so no bytes."""
    return b""


def _unary(method: Method, faults: Faults, latency: float) -> Callable[[Any, grpc.ServicerContext], Any]:
    def call(request: Any, context: grpc.ServicerContext) -> Any:
        time.sleep(latency)
        try:
            action = _struck(method, faults, context)
            answer = method.function(request, context)
            if action == "lose":
                raise Refused(grpc.StatusCode.UNAVAILABLE, "A fault that was asked for: the answer is lost.")
        except Refused as refusal:
            _abort(method, context, refusal)
        return answer

    return call


def _streaming(method: Method, faults: Faults) -> Callable[[Iterator[Any], grpc.ServicerContext], Iterator[Any]]:
    def call(requests: Iterator[Any], context: grpc.ServicerContext) -> Iterator[Any]:
        try:
            _struck(method, faults, context)
            yield from method.function(requests, context)
        except Refused as refusal:
            _abort(method, context, refusal)

    return call


def _struck(method: Method, faults: Faults, context: grpc.ServicerContext) -> str | None:
    action = faults.strike(method.name)
    if action == "hang":
        over = threading.Event()
        if context.add_callback(over.set):
            over.wait()
    if action in ("error", "hang"):
        raise Refused(grpc.StatusCode.UNAVAILABLE, "A fault that was asked for.")
    return action


def _abort(method: Method, context: grpc.ServicerContext, refusal: Refused) -> None:
    if refusal.code is grpc.StatusCode.UNIMPLEMENTED:
        print(f"refused {method.name}: {refusal.message}", file=sys.stderr, flush=True)
    context.abort(refusal.code, refusal.message)


class _Unknown(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpc has no types
    """Behind all others: says on stderr which method nobody knows; grpc answers UNIMPLEMENTED."""

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> None:
        print(f"refused {handler_call_details.method}: unknown method", file=sys.stderr, flush=True)


def serve(name: str, port: int, services: Iterable[grpc.GenericRpcHandler], *, exit_with_parent: bool) -> None:
    """Answers on 127.0.0.1 until asked to end (see process.py). Port 0 takes a free one."""
    options = (("grpc.so_reuseport", 0), ("grpc.max_receive_message_length", -1))
    server = grpc.server(ThreadPoolExecutor(THREADS), options=options)
    server.add_generic_rpc_handlers((*services, _Unknown()))
    bound = server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    serve_until_told({"service": name, "grpc": f"127.0.0.1:{bound}"}, exit_with_parent=exit_with_parent)
    server.stop(grace=None)
