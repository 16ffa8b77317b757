"""Weights go to PyTorch and back: the same names and shapes, the same numbers, no pickle."""

from __future__ import annotations

import json
import struct
import sys
from pathlib import Path

import numpy as np
import pytest

import tinytorch
from tests.tinytorch.oracles.interchange import LAYERS
from tests.tinytorch.oracles.transformers import SIZES
from tinytorch import GPT, GPTConfig, Linear, Tensor, load, save

HERE = Path(__file__).parent / "fixtures"
OURS = {"MultiheadAttention": "MultiHeadAttention"}


def fixture(name):
    """The arrays of one file."""
    with np.load(HERE / f"{name}.npz") as arrays:
        return dict(arrays)


def layer_of(name):
    """Our layer of a name, with the numbers that PyTorch's had."""
    kind, sizes, settings = LAYERS[name]
    layer = getattr(tinytorch, OURS.get(kind, kind))(*sizes, **settings)
    prefix = f"{name}.state."
    state = {k[len(prefix) :]: v for k, v in fixture("interchange").items() if k.startswith(prefix)}
    assert {k: v.shape for k, v in layer.state_dict().items()} == {
        k: v.shape for k, v in state.items()
    }
    layer.load_state_dict(state)
    return layer.eval(), state


@pytest.mark.parametrize("name", LAYERS)
def test_pytorchs_weights_give_pytorchs_results(name):
    """Loaded by name; in use (`eval`), the same to 1e-5; and given back as they came."""
    layer, state = layer_of(name)
    frozen = fixture("interchange")
    y = layer(Tensor(frozen[f"{name}.x"]))
    np.testing.assert_allclose(y.data, frozen[f"{name}.y"], rtol=1e-5, atol=1e-5)
    for key, tensor in layer.state_dict().items():
        np.testing.assert_array_equal(tensor.data, state[key])


@pytest.mark.parametrize("name", LAYERS)
def test_layers_survive_the_file_format_of_others(name, tmp_path):
    """Every name, dtype and bit, a count of batches of no axes included."""
    layer, state = layer_of(name)
    path = tmp_path / "layer.safetensors"
    save(path, **layer.state_dict())
    loaded = load(path)
    assert loaded.keys() == state.keys()
    for key, tensor in loaded.items():
        assert (tensor.dtype, tensor.shape) == (state[key].dtype, state[key].shape)
        np.testing.assert_array_equal(tensor.data, state[key])
    layer.load_state_dict(loaded)
    assert [p.name for p in tmp_path.iterdir()] == ["layer.safetensors"]


def test_a_gpt_written_elsewhere_scores_as_it_did_there(tmp_path):
    """A file of the library's own, with metadata, read here: PyTorch's scores to 1e-5."""
    from safetensors.numpy import save_file

    frozen = fixture("transformers")
    state = {name[6:]: x for name, x in frozen.items() if name.startswith("state.")}
    save_file(state, tmp_path / "gpt.safetensors", metadata={"format": "pt"})
    model = GPT(GPTConfig(**SIZES))
    model.load_state_dict(load(str(tmp_path / "gpt.safetensors")))
    scores = model(Tensor(frozen["ids"][:, :-1])).data
    np.testing.assert_allclose(scores, frozen["scores"], rtol=1e-5, atol=1e-5)


def test_views_are_written_as_they_read(tmp_path):
    """Transposed, sliced, repeated, empty, without axes; read-only files give numbers to change."""
    x = np.arange(6.0).reshape(2, 3)
    views = {"a": x.T, "b": x[:, ::2], "c": np.broadcast_to(x[:1], (2, 3)), "d": x[:0]}
    views |= {"e": np.array(3, np.int8), "f": np.array([True, False])}
    save(tmp_path / "x.safetensors", **views)
    loaded = load(tmp_path / "x.safetensors")
    for name, view in views.items():
        np.testing.assert_array_equal(loaded[name].data, view)
        assert loaded[name].dtype == view.dtype and loaded[name].shape == view.shape
        assert loaded[name].data.flags.writeable


@pytest.mark.parametrize("wrong", [3, "text", [1.0], {"a": np.ones(2)}, np.array(["a"]), None])
def test_only_tensors_go_into_the_format(wrong, tmp_path):
    """The error names what it was; the old file stays, and nothing lies about."""
    path = tmp_path / "x.safetensors"
    save(path, kept=np.ones(2))
    with pytest.raises(TypeError, match="save: expected tensors and arrays alone.*got strange"):
        save(path, fine=np.ones(3), strange=wrong)
    assert list(load(path)) == ["kept"]
    assert [p.name for p in tmp_path.iterdir()] == ["x.safetensors"]


def header(table, body=b""):
    """A file with this header, right or wrong."""
    text = table if isinstance(table, bytes) else json.dumps(table).encode()
    return struct.pack("<Q", len(text)) + text + body


HOSTILE = {
    "nothing": b"",
    "a pickle": b"\x80\x04cos\nsystem\n(S'exit 1'\ntR.",
    "a header beyond the end": struct.pack("<Q", 2**62) + b"{}",
    "no JSON": header(b"{"),
    "no table": header([1, 2]),
    "numbers that are not there": header(
        {"a": {"dtype": "F32", "shape": [9], "data_offsets": [0, 36]}}
    ),
    "a shape that overflows": header(
        {"a": {"dtype": "F32", "shape": [2**63, 2**63], "data_offsets": [0, 4]}}, b"1234"
    ),
    "two that overlap": header(
        {k: {"dtype": "U8", "shape": [4], "data_offsets": [0, 4]} for k in "ab"}, b"1234"
    ),
    "bytes that nobody names": header({}, b"1234"),
    "a dtype of objects": header(
        {"a": {"dtype": "O", "shape": [1], "data_offsets": [0, 8]}}, b"12345678"
    ),
    "numbers that NumPy does not have": header(
        {"a": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]}}, b"1234"
    ),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_and_damaged_files_are_refused_in_one_line(kind, tmp_path):
    """Whatever the bytes, a ValueError that names the file; nothing is run."""
    path = tmp_path / "x.safetensors"
    path.write_bytes(HOSTILE[kind])
    with pytest.raises(ValueError, match="x.safetensors is no whole .safetensors file") as caught:
        load(path)
    assert "\n" not in str(caught.value)


def test_a_file_cut_short_anywhere_is_refused(tmp_path):
    """Every prefix of a good file."""
    path = tmp_path / "x.safetensors"
    save(path, **Linear(2, 3).state_dict())
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match="no whole"):
            load(path)


def test_without_the_library_one_line_says_what_to_install(tmp_path, monkeypatch):
    """Its import fails; the path keeps its old file."""
    monkeypatch.setitem(sys.modules, "safetensors", None)
    monkeypatch.delitem(sys.modules, "safetensors.numpy", raising=False)
    path = tmp_path / "x.safetensors"
    path.write_bytes(b"old")
    for use in (lambda: save(path, a=np.ones(2)), lambda: load(path)):
        with pytest.raises(ModuleNotFoundError, match="run `pip install safetensors`"):
            use()
    assert path.read_bytes() == b"old"


def test_other_paths_stay_npz(tmp_path):
    """Only the ending counts, and file objects are `.npz`."""
    save(tmp_path / "model.safetensors.npz", a=1)
    assert load(tmp_path / "model.safetensors.npz") == {"a": 1}
