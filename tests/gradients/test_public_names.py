import subprocess
import sys

import pytest

import gradtruce


def test_every_public_name_is_there() -> None:
    for name in gradtruce.__all__:
        assert getattr(gradtruce, name) is not None
    assert set(gradtruce.__all__) <= set(dir(gradtruce))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'CAGradd'"):
        _ = gradtruce.CAGradd


def test_the_package_is_imported_without_torch() -> None:
    code = "import sys, gradtruce; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
