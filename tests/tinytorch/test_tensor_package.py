"""The package finds its names by itself, with whatever modules there are, and costs nothing."""

import subprocess
import sys
from pathlib import Path

import pytest

import tinytorch

ALONE = "-S"  # without installed packages, of which this package may be one
PACKAGE = Path(tinytorch.__file__).parent


def run(code, folder, *options):
    """Run Python code in a process of its own, with the package of `folder`."""
    code = f"import sys; sys.path.insert(0, {str(folder)!r})\n{code}"
    command = [sys.executable, "-B", *options, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.fixture
def package(tmp_path):
    """Return a function that makes a package with these modules, {"tensor": source}."""

    def make(**modules):
        folder = tmp_path / "tinytorch"
        folder.mkdir()
        (folder / "__init__.py").write_text((PACKAGE / "__init__.py").read_text())
        for name, source in modules.items():
            (folder / f"{name}.py").write_text(source)
        return tmp_path

    return make


def test_public_names_are_found_in_their_modules():
    """tinytorch.Tensor and tinytorch.relu are those of tensor.py and activations.py."""
    assert tinytorch.Tensor is tinytorch.tensor.Tensor
    assert tinytorch.relu is tinytorch.activations.relu
    assert {"Tensor", "relu", "zeros"} <= set(dir(tinytorch))


@pytest.mark.parametrize("name", ["nothing_like_this", "np", "apply", "__wrapped__"])
def test_other_names_are_an_attribute_error(name):
    """Also helpers of a module, and what it imports."""
    with pytest.raises(AttributeError, match=name):
        getattr(tinytorch, name)


def test_modules_that_are_missing_are_passed_over(package):
    """A student who has finished 01 and 03 can use both."""
    folder = package(tensor="__all__ = ['Tensor']\nTensor = 1", layers="Linear = 3")
    code = (
        "import tinytorch as t; print(t.Tensor, t.Linear, hasattr(t, 'relu'), hasattr(t, 'losses'))"
    )
    assert run(code, folder, ALONE) == ["1", "3", "False", "False"]


def test_a_broken_module_is_an_error_of_that_module(package):
    """What is in front of it still works; what could be in it raises its own error."""
    folder = package(
        tensor="__all__ = ['Tensor']\nTensor = 1", activations="import no_such_package"
    )
    code = """
import tinytorch
print(tinytorch.Tensor)
try:
    tinytorch.relu
except ModuleNotFoundError as error:
    print(error.name)
"""
    assert run(code, folder, ALONE) == ["1", "no_such_package"]


def test_modules_may_come_from_memory(package):
    """As in the grader: an importer that knows the modules is asked like any other."""
    code = """
import importlib.abc, importlib.util

class Memory(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, name, path=None, target=None):
        return importlib.util.spec_from_loader(name, self) if name == "tinytorch.losses" else None
    def exec_module(self, module):
        module.mse_loss = "from memory"

sys.meta_path.insert(0, Memory())
import tinytorch
print(tinytorch.mse_loss, tinytorch.losses.mse_loss)
"""
    assert run(code, package(), ALONE) == ["from", "memory", "from", "memory"]


def test_importing_tensor_imports_numpy_and_nothing_heavy():
    """Neither numpy.random nor another package: starting costs what `import numpy` costs."""
    code = """
import numpy, math, operator, threading, weakref, collections.abc, __future__, importlib
before = set(sys.modules)
from tinytorch import Tensor, relu
print(*sorted(set(sys.modules) - before))
"""
    assert run(code, PACKAGE.parent) == ["tinytorch", "tinytorch.activations", "tinytorch.tensor"]


def test_higher_modules_leave_tensor_alone():
    """Importing all modules changes no name of Tensor, and none of its module."""
    code = """
import tinytorch
from tinytorch import tensor
before = {**vars(tensor.Tensor)}, {**vars(tensor)}
dir(tinytorch)
assert "tinytorch.activations" in sys.modules
after = {**vars(tensor.Tensor)}, {**vars(tensor)}
print([a.keys() == b.keys() and all(a[k] is b[k] for k in a) for a, b in zip(before, after)])
"""
    assert run(code, PACKAGE.parent) == ["[True,", "True]"]
