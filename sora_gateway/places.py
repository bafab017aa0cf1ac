"""Where things lie: what a data directory holds, and the files that come with the program."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from sora_gateway.errors import StartupError

_PACKAGE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class DataDirectory:
    """Everything that a gateway keeps. Nothing is made before :meth:`make`."""

    root: Path

    @property
    def database(self) -> Path:
        return self.root / "gateway.db"

    @property
    def media(self) -> Path:
        return self.root / "media"

    @property
    def references(self) -> Path:
        """Saved reference images."""
        return self.root / "references"

    @property
    def scratch(self) -> Path:
        """Images while they are looked at, and large requests while they arrive; nothing in it outlives the process."""
        return self.root / "scratch"

    @property
    def secrets(self) -> Path:
        return self.root / "secrets"

    @property
    def signing_keys(self) -> Path:
        return self.secrets / "signing.key"

    @property
    def simulator(self) -> Path:
        return self.root / "simulator"

    @property
    def control(self) -> Path:
        """The control socket of the process that has the directory's lock."""
        return self.root / "control.sock"

    def make(self) -> None:
        """Makes the directory, for its owner only, unless it is there.

        Raises:
            StartupError: it cannot be made or written to.
        """
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StartupError(
                f"The data directory {self.root} cannot be made ({error.strerror}); choose another --data-dir."
            ) from None
        if not os.access(self.root, os.W_OK | os.X_OK):
            raise StartupError(
                f"The data directory {self.root} cannot be written to; choose another --data-dir, or its owner's account."
            )

    def open_to_others(self) -> list[Path]:
        """The directory, and the secrets in it, as far as anybody but their owner can look into them. What is in a
        private directory is reached by nobody."""
        if not self.root.stat().st_mode & 0o077:
            return []
        secrets = [self.secrets, *self.secrets.glob("*")] if self.secrets.is_dir() else []
        return [self.root, *sorted(path for path in secrets if path.stat().st_mode & 0o077)]


def shipped(name: str) -> Path:
    """``migrations``, ``static`` or ``config.example.toml``: beside the package in a checkout, inside it in a wheel."""
    packed = _PACKAGE / f"_{name}"
    return packed if packed.exists() else _PACKAGE.parent / name
