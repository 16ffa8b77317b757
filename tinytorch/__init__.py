"""TinyTorch: a machine-learning framework in NumPy, grown one file per module.

`from tinytorch import Tensor, relu` finds a public name in the first module, in course order, that
has it. Modules are imported when a name is asked for, and those not written yet are passed over.
"""

from importlib import import_module

MODULES = (
    "tensor",
    "activations",
    "layers",
    "losses",
    "dataloader",
    "autograd",
    "optimizers",
    "training",
    "convolutions",
    "tokenization",
    "embeddings",
    "attention",
    "transformers",
    "profiling",
    "quantization",
    "compression",
    "acceleration",
    "memoization",
    "benchmarking",
    "capstone",
)


def _module(name):
    """The module `tinytorch.<name>`, or None if there is no such file yet."""
    try:
        return import_module(f"{__name__}.{name}")
    except ModuleNotFoundError as error:
        if error.name != f"{__name__}.{name}":
            raise
        return None


def __getattr__(name):
    if name in MODULES:
        found = _module(name)
        if found is not None:
            return found
    elif not name.startswith("_"):
        for module in filter(None, map(_module, MODULES)):
            if name in getattr(module, "__all__", vars(module)):
                return getattr(module, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    modules = filter(None, map(_module, MODULES))
    return sorted({*globals(), *(name for module in modules for name in module.__all__)})
