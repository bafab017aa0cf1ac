"""A client of a gateway for programs in Python: make videos, follow them live, fetch their files.

.. code-block:: python

    async with GatewayClient("http://127.0.0.1:8000", "sgw_...") as client:
        task = await client.generate("a paper boat in the rain")
        async for update in client.watch(video_id=task.video_id):
            print(update.status, update.progress, update.transport)
        await client.download(task.video_id, "boat.mp4")

It needs httpx and websockets and nothing of the server.
"""

from sora_gateway.client.client import GatewayClient
from sora_gateway.client.failures import Answered, Unreachable
from sora_gateway.client.values import Pace, Task, Transport, Update
from sora_gateway.client.watch import Watch

__all__ = ["Answered", "GatewayClient", "Pace", "Task", "Transport", "Unreachable", "Update", "Watch"]
