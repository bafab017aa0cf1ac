"""What an operator's own tools are told: metrics, traces and errors."""
