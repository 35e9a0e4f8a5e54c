"""On what and with which versions a number was measured."""

import os
import platform
from importlib.metadata import version
from typing import Final

import gradtruce

_PACKAGES: Final = ("torch", "transformers", "tokenizers", "numpy", "pyarrow", "scikit-learn")


def machine() -> dict[str, str | int]:
    """Return processor, system and versions.

    >>> machine()["gradtruce"] == gradtruce.__version__
    True
    """
    return {
        "system": platform.platform(),
        "processor": platform.machine(),
        "cores": os.cpu_count() or 1,
        "python": platform.python_version(),
        "gradtruce": gradtruce.__version__,
        **{package: version(package) for package in _PACKAGES},
    }
