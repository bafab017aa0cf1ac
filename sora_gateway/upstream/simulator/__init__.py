"""An upstream without an upstream: OpenAI's Videos API with jobs that cost nothing and videos that really play."""

from sora_gateway.upstream.simulator.app import build_simulator
from sora_gateway.upstream.simulator.state import SimulatorOptions, SimulatorState

__all__ = ["SimulatorOptions", "SimulatorState", "build_simulator"]
