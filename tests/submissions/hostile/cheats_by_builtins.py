# base: reference
# loses: everything
# refused: not an answer|ended|the answer|TypeError|RecursionError
"""Replaces builtins, json and import, on which the worker's own code stands."""

import builtins
import json
import sys

json.dumps = lambda *_, **__: '{"dict": {"status": "value", "value": [1.0, true]}}'
builtins.isinstance = lambda *_: True
builtins.len = lambda *_: 0
builtins.__import__ = lambda *_, **__: sys.modules["numpy"]
