"""The topics; each module declares its cases when it is imported."""

from importlib import import_module
from pkgutil import iter_modules


def load() -> None:
    for module in sorted(m.name for m in iter_modules(__path__)):
        import_module(f"{__name__}.{module}")
