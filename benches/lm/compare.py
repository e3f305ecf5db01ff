#!/usr/bin/env python3
"""Compare the speed of samara's decoder with llama.cpp's: the same weights (Q8_0), prompt length and threads.

    pip install llama-cpp-python
    python3 benches/lm/compare.py MODEL.gguf [ROUNDS]

A prompt of 398 tokens is read; then 32 texts that share it are decoded side by side for 32 tokens each, as an operator does
for 32 children of one program. The two programs take turns, one alone at a time; the medians and their ratios are printed.
"""

import ctypes
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import llama_cpp as L

ROOT = Path(__file__).resolve().parents[2]
PROMPT, ROWS, STEPS, THREADS = 398, 32, 32, 2


@L.llama_log_callback
def QUIET(level, text, data):
    pass


class Reference:
    """llama.cpp with one cache shared by all texts."""

    def __init__(self, path):
        self.model = L.llama_model_load_from_file(str(path).encode(), L.llama_model_default_params())
        settings = L.llama_context_default_params()
        settings.n_ctx, settings.n_batch, settings.n_seq_max = PROMPT + ROWS * STEPS + 64, 512, ROWS
        settings.n_threads = settings.n_threads_batch = THREADS
        settings.kv_unified = True
        self.context = L.llama_init_from_model(self.model, settings)
        self.memory = L.llama_get_memory(self.context)

    def read(self, rows):
        """Reads (token, position, sequence, wants logits) rows."""
        batch = L.llama_batch_init(len(rows), 0, 1)
        batch.n_tokens = len(rows)
        for i, (token, position, sequence, logits) in enumerate(rows):
            batch.token[i], batch.pos[i], batch.n_seq_id[i], batch.seq_id[i][0] = token, position, 1, sequence
            batch.logits[i] = logits
        assert L.llama_decode(self.context, batch) == 0
        L.llama_batch_free(batch)

    def run(self):
        L.llama_memory_clear(self.memory, True)
        token = lambda i: i * 7919 % 40000 + 100
        began = time.perf_counter()
        self.read([(token(i), i, 0, i == PROMPT - 1) for i in range(PROMPT)])
        read = time.perf_counter() - began
        for row in range(1, ROWS):
            L.llama_memory_seq_cp(self.memory, 0, row, -1, -1)
        began = time.perf_counter()
        for step in range(STEPS):
            self.read([(token(step * ROWS + row), PROMPT + step, row, True) for row in range(ROWS)])
        return PROMPT / read, ROWS * STEPS / (time.perf_counter() - began)


def samara(path):
    command = ["cargo", "run", "--release", "--quiet", "-p", "lm", "--example", "speed", "--", path]
    command += ["--rows", ROWS, "--steps", STEPS, "--prompt", PROMPT, "--repeat", 2]
    result = subprocess.run([str(x) for x in command], capture_output=True, text=True, cwd=ROOT, check=True)
    print("   ", result.stderr.strip(), file=sys.stderr)
    prompt, decode = re.findall(r"prompt (\d+) tok/s  decode (\d+) tok/s", result.stdout)[-1]
    return float(prompt), float(decode)


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    rounds = int(sys.argv[2]) if len(sys.argv) == 3 else 5
    L.llama_log_set(QUIET, None)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "q8_0.gguf"
        settings = L.llama_model_quantize_default_params()
        settings.ftype, settings.allow_requantize = L.LLAMA_FTYPE_MOSTLY_Q8_0, True
        if L.llama_model_quantize(sys.argv[1].encode(), str(path).encode(), ctypes.byref(settings)):
            sys.exit(f"llama.cpp cannot convert {sys.argv[1]}")
        reference = Reference(path)
        reference.run()
        samara(path)
        ours, theirs = [], []
        for _ in range(rounds):
            ours.append(samara(path))
            reference.run()
            theirs.append(reference.run())
        for name, column in (("reading the prompt", 0), ("decoding 32 texts", 1)):
            a, b = (statistics.median(x[column] for x in xs) for xs in (ours, theirs))
            ratios = sorted(x[column] / y[column] for x, y in zip(ours, theirs))
            print(f"{name}: samara {a:.0f} tokens/s, llama.cpp {b:.0f}; ratio {statistics.median(ratios):.2f} "
                  f"(of {rounds} rounds: {ratios[0]:.2f} to {ratios[-1]:.2f})")


main()
