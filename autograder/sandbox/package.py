"""The `tinytorch` package of a worker: imported from memory, never from a file."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import BuiltinImporter, FrozenImporter, ModuleSpec
from types import CodeType, ModuleType

NAME = "tinytorch"


class MemoryImporter(MetaPathFinder, Loader):
    """Finds modules among the code objects that it was given."""

    def __init__(self) -> None:
        """Hold no code yet."""
        self._code: dict[str, CodeType] = {}

    def add(self, name: str, code: CodeType) -> None:
        """Make `import name` execute `code`."""
        self._code[name] = code

    def find_spec(self, name, path=None, target=None) -> ModuleSpec | None:
        """Return the spec of a module that was added."""
        if name not in self._code:
            return None
        origin = self._code[name].co_filename
        return ModuleSpec(name, self, origin=origin, is_package=name == NAME)

    def exec_module(self, module: ModuleType) -> None:
        """Run the code of `module` in its namespace."""
        module.__file__ = module.__spec__.origin
        exec(self._code[module.__name__], module.__dict__)

    def get_source(self, name: str) -> None:
        """Return no source: the text stays outside of the worker."""


def install(package_source: str) -> MemoryImporter:
    """Make `tinytorch` importable from memory, and nothing else importable from any file."""
    importer = MemoryImporter()
    importer.add(NAME, compile(package_source, f"{NAME}/__init__.py", "exec", dont_inherit=True))
    sys.path.clear()
    sys.path_importer_cache.clear()
    sys.meta_path[:] = [BuiltinImporter, FrozenImporter, importer]
    import_module(NAME)
    return importer


def add_reference(importer: MemoryImporter, sources: dict[str, str]) -> None:
    """Import modules of the reference from their sources, in the order given."""
    for name, source in sources.items():
        path = f"{name.replace('.', '/')}.py"
        importer.add(name, compile(source, path, "exec", dont_inherit=True))
        import_module(name)
