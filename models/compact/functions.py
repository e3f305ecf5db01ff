"""Changes of functions that people wrote, as lessons for `samara train operator`: copying in code of every style.

    python3 models/compact/functions.py FILE.jsonl [--count 40000] [--folder FOLDER]

The functions are those of Python's standard library (or of a folder), of 4 to 30 lines; a lesson changes one to four lines of
one: a number, a name, an operator or an argument replaced, a line doubled or left out, and the result compiles. What each does is of no
account: the lessons teach to copy all but the change. They have the least that `samara train operator` reads, a parent and a
child; they are of one niche, so give it `--per-niche 100000`.
"""

import argparse
import ast
import io
import json
import pathlib
import random
import sysconfig
import textwrap
import tokenize
import warnings

LINES = range(4, 31)
MOST = 1400
TWINS = [("+", "-", "*", "/"), ("<", ">", "<=", ">=", "==", "!="), ("+=", "-=", "*="), ("and", "or"), ("True", "False", "None")]
# Words that are no names, and do not stand for one.
HEADS = {"def", "return", "for", "in", "if", "else", "while"}
TWIN = {word: [other for other in words if other != word] for words in TWINS for word in words}


def functions(folder):
    """The functions of all files, without docstrings, comments and decorators, moved to the margin."""
    found = set()
    for path in sorted(folder.rglob("*.py")):
        if {"test", "tests", "idlelib", "lib2to3", "site-packages"} & set(path.parts):
            continue
        try:
            file = path.read_text(encoding="utf-8")
            tree = ast.parse(file)
        except (SyntaxError, ValueError):
            continue
        lines = file.split("\n")
        for node in ast.walk(tree):
            if not isinstance(node, ast.FunctionDef):
                continue
            skipped = set()
            if ast.get_docstring(node, clean=False) is not None:
                skipped = set(range(node.body[0].lineno, node.body[0].end_lineno + 1))
            kept = [lines[n - 1].rstrip() for n in range(node.lineno, node.end_lineno + 1) if n not in skipped]
            text = textwrap.dedent("\n".join(line for line in kept if "#" not in line)) + "\n"
            if text.count("\n") in LINES and len(text) <= MOST and text.isascii() and compiles(text):
                found.add(text)
    return sorted(found)


def compiles(text):
    try:
        ast.parse(text)
    except (SyntaxError, ValueError):
        return False
    return True


def tokens(text):
    """(kind, word, row, begin, end) of all words, numbers and operators; rows count from 0."""
    try:
        read = list(tokenize.generate_tokens(io.StringIO(text).readline))
    except (tokenize.TokenError, IndentationError):
        return []
    return [(t.type, t.string, t.start[0] - 1, t.start[1], t.end[1]) for t in read if t.type in (tokenize.NAME, tokenize.NUMBER, tokenize.OP)]


def changed(r, line, own, names):
    """A line with one to three of its words replaced."""
    for _ in range(r.choice([1, 1, 1, 2, 3])):
        if not own:
            return line
        at = r.randrange(len(own))
        kind, word, _, begin, end = own.pop(at)
        if word in TWIN:
            new = r.choice(TWIN[word])
        elif kind == tokenize.NUMBER:
            new = r.choice([str(r.randrange(10)), str(round(r.uniform(0, 9), r.choice([1, 2]))), f"{word} + 1", f"{word} * 2"])
        elif kind == tokenize.NAME and word not in HEADS | {"not", "is"}:
            new = r.choice([r.choice(names), r.choice(names), f"{word} + {r.randrange(9)}", str(r.randrange(9))])
        else:
            continue
        line = line[:begin] + new + line[end:]
        # Those to the left stay where they are.
        own[:] = [token for token in own if token[4] <= begin]
    return line


def lesson(number, programs):
    """None where the change made nothing new or nothing that compiles."""
    r = random.Random(f"function {number}")
    parent = r.choice(programs)
    lines = parent.split("\n")[:-1]
    words = tokens(parent)
    names = [word for kind, word, *_ in words if kind == tokenize.NAME and word not in HEADS]
    if not names:
        return None
    for row in sorted(r.sample(range(1, len(lines)), min(len(lines) - 1, r.choice([1, 1, 2, 2, 3, 4]))), reverse=True):
        kind = r.random()
        if kind < 0.06:
            del lines[row]
        elif kind < 0.14:
            lines.insert(row, changed(r, lines[row], [token for token in words if token[2] == row], names))
        else:
            lines[row] = changed(r, lines[row], [token for token in words if token[2] == row], names)
    child = "\n".join(lines) + "\n"
    return {"parent": parent, "child": child} if child != parent and compiles(child) else None


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=pathlib.Path)
    parser.add_argument("--count", type=int, default=40000)
    parser.add_argument("--folder", type=pathlib.Path, default=pathlib.Path(sysconfig.get_path("stdlib")))
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    programs = functions(args.folder)
    made = 0
    with args.file.open("w") as out:
        for number in range(args.count):
            if one := lesson(number, programs):
                out.write(json.dumps(one) + "\n")
                made += 1
    print(f"{made} lessons of {len(programs)} functions")


if __name__ == "__main__":
    main()
