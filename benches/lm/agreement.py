#!/usr/bin/env python3
"""Compare samara's decoder with llama.cpp: logits on a fixed text, greedy decoding of 64 tokens on 20 prompts.

    pip install llama-cpp-python
    python3 benches/lm/agreement.py MODEL.gguf

The model is first written with its weights as 32-bit floats, which is what both then compute with.
"""

import ctypes
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import llama_cpp as L
import numpy as np

ROOT = Path(__file__).resolve().parents[2]
SEEDS = sorted(ROOT.glob("seeds/*.py"))
TOKENS = 64
PROMPTS = [
    "The elm is a tree that", "def make_walker():\n    wc = walker_creator()\n", "import math\n\n",
    "1, 1, 2, 3, 5, 8,", "Once upon a time", "class Archive:\n    def __init__(self", "# sorts a list\ndef",
    "<|im_start|>user\nWhat is evolution?<|im_end|>\n<|im_start|>assistant\n", "for i in range(", "SELECT * FROM",
    "The three laws of motion are", "fn main() {", "Dear Sir or Madam,", "water boils at", "x = [1, 2, 3]\nprint(",
    "@pytest.fixture\ndef", "Mutation and selection", "git commit -m \"", "Chapter 1\n\n", "if __name__ ==",
]


@L.llama_log_callback
def QUIET(level, text, data):
    pass


def floats(source, target):
    """Writes a model's weights as 32-bit floats."""
    settings = L.llama_model_quantize_default_params()
    settings.ftype, settings.allow_requantize = L.LLAMA_FTYPE_ALL_F32, True
    if L.llama_model_quantize(str(source).encode(), str(target).encode(), ctypes.byref(settings)):
        sys.exit(f"llama.cpp cannot convert {source}")


class Reference:
    def __init__(self, path):
        self.model = L.llama_model_load_from_file(str(path).encode(), L.llama_model_default_params())
        settings = L.llama_context_default_params()
        settings.n_ctx, settings.n_batch = 2048, 2048
        settings.type_k = settings.type_v = L.GGML_TYPE_F32
        settings.flash_attn_type = L.LLAMA_FLASH_ATTN_TYPE_DISABLED
        self.context = L.llama_init_from_model(self.model, settings)
        self.vocabulary = L.llama_model_get_vocab(self.model)
        self.size = L.llama_vocab_n_tokens(self.vocabulary)

    def encode(self, text):
        raw = text.encode()
        tokens = (L.llama_token * (len(raw) + 8))()
        count = L.llama_tokenize(self.vocabulary, raw, len(raw), tokens, len(tokens), False, True)
        return tokens[:count]

    def forget(self):
        L.llama_memory_clear(L.llama_get_memory(self.context), True)

    def read(self, tokens, start, every=False):
        batch = L.llama_batch_init(len(tokens), 0, 1)
        batch.n_tokens = len(tokens)
        for i, token in enumerate(tokens):
            batch.token[i], batch.pos[i], batch.n_seq_id[i], batch.seq_id[i][0] = token, start + i, 1, 0
            batch.logits[i] = every or i == len(tokens) - 1
        assert L.llama_decode(self.context, batch) == 0
        L.llama_batch_free(batch)
        rows = range(len(tokens)) if every else [len(tokens) - 1]
        return np.array([np.ctypeslib.as_array(L.llama_get_logits_ith(self.context, i), (self.size,)).copy() for i in rows])

    def greedy(self, tokens):
        self.forget()
        written, start = [], 0
        for _ in range(TOKENS):
            best = int(self.read(tokens, start)[0].argmax())
            start += len(tokens)
            written.append(best)
            tokens = [best]
        return written


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    L.llama_log_set(QUIET, None)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "floats.gguf"
        floats(sys.argv[1], path)
        reference = Reference(path)
        text = reference.encode("\n".join(seed.read_text() for seed in SEEDS))[:512]
        prompts = [reference.encode(prompt) for prompt in PROMPTS]
        right = reference.read(text, 0, every=True)
        written = [reference.greedy(prompt) for prompt in prompts]
        request = json.dumps({"text": text, "prompts": prompts, "tokens": TOKENS})
        failed = False
        for precision in "f32", "int8":
            command = ["cargo", "run", "--release", "--quiet", "-p", "lm", "--example", "reference", "--", path, precision]
            answer = subprocess.run(command, input=request, capture_output=True, text=True, cwd=ROOT)
            if answer.returncode:
                sys.exit(answer.stderr)
            answer = json.loads(answer.stdout)
            logits = np.array(answer["logits"], dtype=np.float32)
            error = np.abs(logits - right)
            best = (logits.argmax(1) == right.argmax(1)).mean()
            same = sum(ours == theirs for ours, theirs in zip(answer["greedy"], written))
            agree = np.mean([np.equal(a, b).argmin() if a != b else TOKENS for a, b in zip(answer["greedy"], written)])
            print(f"{precision}: logits of {len(text)} positions differ by at most {error.max():.5f} (mean {error.mean():.5f}), "
                  f"likeliest token the same at {best:.1%}; greedy: {same} of {len(prompts)} prompts identical over {TOKENS} "
                  f"tokens, {agree:.1f} on average before the first difference")
            failed |= precision == "f32" and (error.max() > 1e-2 or same < len(prompts))
        sys.exit(failed)


main()
