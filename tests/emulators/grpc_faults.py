"""A gRPC proxy before the BigQuery Storage Read API that carries out a fault plan.

    with GrpcProxy(emulators.storage_api) as proxy:
        proxy.plan.on("GRPC", "ReadRows$", Abort("UNAVAILABLE", after=1), times=2)
        client = read_client(proxy.address)

Messages pass as bytes. `call.body` is the request as text, so tests find `row_restriction` or `offset`.
"""

from __future__ import annotations

import concurrent.futures
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any

import grpc
from google.cloud.bigquery_storage_v1 import types

from emulators.clients import CHANNEL_OPTIONS
from emulators.faults import Abort, Act, Call, Delay, Fault, FaultPlan, Hang, LostReply, Reset

SERVICE = "/google.cloud.bigquery.storage.v1.BigQueryRead/"
REQUESTS = {
    "CreateReadSession": types.CreateReadSessionRequest,
    "ReadRows": types.ReadRowsRequest,
    "SplitReadStream": types.SplitReadStreamRequest,
}
STREAMING = {"ReadRows"}
THREADS = 32
POLL_SECONDS = 0.02


class GrpcProxy:
    """A proxy on a free port of loopback: `address`, and `plan` with the rules and the calls."""

    def __init__(self, upstream: str, plan: FaultPlan | None = None) -> None:
        self.plan = plan or FaultPlan()
        self._channel = grpc.insecure_channel(upstream, options=CHANNEL_OPTIONS)
        self._pool = concurrent.futures.ThreadPoolExecutor(max_workers=THREADS)
        self._server = grpc.server(self._pool, options=[*CHANNEL_OPTIONS, ("grpc.so_reuseport", 0)])
        self._server.add_generic_rpc_handlers([_Handlers(self._channel, self.plan)])
        self._port = self._server.add_insecure_port("127.0.0.1:0")

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._port}"

    def __enter__(self) -> GrpcProxy:
        self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.plan.release()
        self._server.stop(None).wait()
        self._channel.close()
        self._pool.shutdown()


class _Handlers(grpc.GenericRpcHandler):
    def __init__(self, channel: grpc.Channel, plan: FaultPlan) -> None:
        self.channel = channel
        self.plan = plan

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        name = details.method.removeprefix(SERVICE)
        if name not in REQUESTS:
            return None
        if name in STREAMING:
            return grpc.unary_stream_rpc_method_handler(self._stream(details.method, name))
        return grpc.unary_unary_rpc_method_handler(self._single(details.method, name))

    def _stream(self, path: str, name: str) -> Callable[..., Iterator[bytes]]:
        remote = self.channel.unary_stream(path)

        def handle(request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
            def forward() -> Iterator[bytes]:
                stream = remote(request, **_terms(context))
                context.add_callback(stream.cancel)
                return stream

            return self._pass_on(forward, path, name, request, context)

        return handle

    def _single(self, path: str, name: str) -> Callable[..., bytes]:
        remote = self.channel.unary_unary(path)

        def handle(request: bytes, context: grpc.ServicerContext) -> bytes:
            def forward() -> Iterator[bytes]:
                return iter([remote(request, **_terms(context))])

            (reply,) = self._pass_on(forward, path, name, request, context)
            return reply

        return handle

    def _pass_on(
        self,
        forward: Callable[[], Iterator[bytes]],
        path: str,
        name: str,
        request: bytes,
        context: grpc.ServicerContext,
    ) -> Iterator[bytes]:
        """The messages of the service up to the fault."""
        call = Call("GRPC", path, str(REQUESTS[name].deserialize(request)))
        fault = self.plan.arrived(call)
        self._before(fault, call, context)
        try:
            for passed, message in enumerate(forward(), 1):
                yield message
                self._after(fault, passed, call, context)
        except grpc.RpcError as error:
            _abort(context, call, error.code(), error.details())
        self._at_end(fault, call, context)
        call.status = "OK"

    def _before(self, fault: Fault | None, call: Call, context: grpc.ServicerContext) -> None:
        match fault:
            case Reset():
                _abort(context, call, grpc.StatusCode.UNAVAILABLE, "injected: reset")
            case Delay(seconds):
                time.sleep(seconds)
            case Act(action, done=False):
                action()
            case _:
                self._after(fault, 0, call, context)

    def _after(self, fault: Fault | None, passed: int, call: Call, context: grpc.ServicerContext) -> None:
        """Carry out a fault that waits for so many messages."""
        match fault:
            case Abort(code, after) if after == passed:
                _abort(context, call, grpc.StatusCode[code], f"injected: {code}")
            case Hang(after=after, done=done) if passed == (after or int(done)):
                self._hang(call, context)

    def _at_end(self, fault: Fault | None, call: Call, context: grpc.ServicerContext) -> None:
        match fault:
            case LostReply():
                _abort(context, call, grpc.StatusCode.UNAVAILABLE, "injected: lost reply")
            case Act(action, done=True):
                action()

    def _hang(self, call: Call, context: grpc.ServicerContext) -> None:
        while context.is_active() and not self.plan.is_released:
            time.sleep(POLL_SECONDS)
        _abort(context, call, grpc.StatusCode.UNAVAILABLE, "injected: hang ended")


def _terms(context: grpc.ServicerContext) -> dict[str, Any]:
    """What a call is handed on with: its routing and what is left of its time."""
    routing = [pair for pair in context.invocation_metadata() if pair[0].startswith("x-goog-request")]
    return {"metadata": routing, "timeout": context.time_remaining()}


def _abort(context: grpc.ServicerContext, call: Call, code: grpc.StatusCode, details: str | None) -> None:
    call.status = code.name
    context.abort(code, details or "")
