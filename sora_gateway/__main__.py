"""``python -m sora_gateway``."""

import sys

from sora_gateway.cli import main

sys.exit(main())
