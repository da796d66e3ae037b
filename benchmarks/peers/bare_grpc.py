"""A grpc.aio server that reads a message and answers a constant: `… bare_grpc SIZE`.

Prints its port.
"""

import asyncio
import sys
from typing import Any

import grpc

from freehold.serving.inference_messages import SERVICE


class Constant:
    def __init__(self, size: int) -> None:
        self._answer = bytes(size)

    async def told(self, _: bytes, __: Any) -> bytes:
        return self._answer


async def main(size: int) -> None:
    server = grpc.aio.server()
    method = grpc.unary_unary_rpc_method_handler(Constant(size).told)
    handler = grpc.method_handlers_generic_handler(SERVICE, {"ModelInfer": method})
    server.add_generic_rpc_handlers((handler,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(port, flush=True)
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
