"""Walker programs of many shapes and styles, for a model to learn edits from.

    python3 models/compact/seeds.py FOLDER [--count 1000] [--first 0]    # FOLDER/seed-000000.py and so on

Program number N is the same wherever it is made. A program places one to three groups of joints (rows, rings, arcs, fans,
waves, tables), joins each in itself and to the one before, and is written in a style of its own: names, numbers, constants or
literals, helper functions or none, loops or lists, comments, blank lines, the order of its parts. Names are drawn anew for each,
and in two of five programs some or most are words of no language, so that a model which learns to change the programs can only
copy from the one that it reads. The last function, whose name begins with make, gives the walker. Some programs are no walkers:
the domain says which.
"""

import argparse
import keyword
import pathlib
import random

NOUNS = (
    "arm axle back ball band bar base beam bend body bone bow box brace branch cage cell chain chest claw coil core corner crest crown deck edge "
    "eye fan fin flap foot fork frame gate grid head heel hinge hip hook hoop horn jaw keel knee knot lattice leaf leg limb link lobe loop mast mesh "
    "mid neck node outer paw peg pin pivot plate pod pole post rail ray rib rim ring rod root rung sail seat shell shin shoulder side skid "
    "spar spike spine spoke spring stem step strap strut tail thigh tip toe top torso tower trunk tusk vane wall web wedge wheel wing wrist"
).split()
ANIMALS = (
    "ant bat bear bee beetle bird boat camel cart cat centipede crab cricket crow deer dog dragon duck eel elk fish flea fly fox frog gecko goat goose "
    "hare hopper horse hound insect lizard lobster mantis mole moose mouse newt ostrich otter ox pig pony rabbit ram raven robot scorpion sheep shrimp "
    "sledge slug snail snake squid stag tick toad truck turtle walker wasp weasel wolf worm yak"
).split()
VERBS = "add build create draw form grow lay place put set spawn".split()
JOINERS = "attach bind brace connect couple fasten fix join knit lace link sew stitch tie weave wire".split()
QUALITIES = "big far first fast front high hind inner last left long low lower main near new old outer rear right second short slow small soft stiff upper".split()
SIZES = {
    "step": "step gap pitch spacing stride dx unit delta interval stretch".split(),
    "size": "size length width span reach extent height rise radius scale".split(),
    "count": "n count number parts segments sides pieces total steps".split(),
    "amp": "amp amplitude force power strength swing drive push gain pull".split(),
    "phase": "phase offset shift delay lag moment beat timing turn".split(),
}
SYLLABLES = (
    "ba be bo cru da del di do fa fen fi ga gra he hol in ja jo ka ki lan le lo ma mi nu "
    "nor os pa per po qua ra ri ro sa si sul ta te ti to tri un va vel vi vo we xo ya zi"
).split()
COUNTERS = "i j k m idx index num at leg part step_no pos a b c p q r s t u v".split()


def invented(r):
    """A word of no language."""
    return "".join(r.choice(SYLLABLES) for _ in range(r.choice([1, 2, 2, 3])))


class Writer:
    """One program in one style."""

    def __init__(self, number):
        r = self.r = random.Random(f"walker {number}")
        self.taken = {"wc", "math", "walker_creator", "sin", "cos", "pi"}
        self.helpers, self.consts = [], []
        self.wc = r.choice(["wc"] * 6 + ["creator", "w", "builder", "maker", "walker", "cr"])
        self.taken.add(self.wc)
        self.indent = r.choice(["    "] * 8 + ["  ", "\t"])
        self.math = r.choice(["import math", "import math", "from math import sin, cos, pi"])
        self.m = "math." if self.math == "import math" else ""
        self.uses_math = False
        self.comments = r.random() < 0.35
        self.capital = r.random() < 0.4
        self.inline = r.random()
        self.keywords = r.random() < 0.25
        self.style = r.choice(["for", "for", "while", "list"])
        self.short = r.random() < 0.3
        self.invented = r.choice([0, 0, 0, 0.3, 0.9])
        self.digits = r.choice([0, 1, 1, 2])
        self.body = []

    # Names and numbers.
    def name(self, words, tries=30):
        r = self.r
        for _ in range(tries):
            word = r.choice(words)
            shape = r.random()
            if self.short and shape < 0.5:
                word = word[: r.choice([1, 2, 3])]
            elif shape < 0.25:
                word = f"{r.choice(QUALITIES)}_{word}"
            elif shape < 0.33:
                word = f"{word}{r.randrange(1, 10)}"
            elif shape < 0.42 and words is NOUNS:
                word += "s"
            elif r.random() < self.invented:
                word = invented(r)
            if word not in self.taken and not keyword.iskeyword(word):
                self.taken.add(word)
                return word
        return self.name([f"{word}_{r.randrange(100)}" for word in words])

    def number(self, low, high):
        value = self.r.uniform(low, high)
        return str(round(value)) if self.digits == 0 else str(round(value, self.digits))

    def value(self, kind, text):
        """A number as it stands, or by a name: a local one, or one of the module."""
        if self.r.random() < self.inline:
            return text
        name = self.name(SIZES[kind])
        if self.capital and self.r.random() < 0.7:
            name = name.upper()
            if name in self.taken:
                return text
            self.taken.add(name)
            self.consts.append(f"{name} = {text}")
        else:
            self.body.append(f"{name} = {text}")
        return name

    def say(self, words):
        if self.comments and self.r.random() < 0.6:
            self.body.append(f"# {words}")

    def fn(self, what):
        self.uses_math = True
        return f"{self.m}{what}"

    def arguments(self, first, second):
        """A muscle's kind: stiff, or one that moves; `first` counts along the group."""
        r = self.r
        kind = r.random()
        if kind < 0.35:
            return r.choice(["", "", ", True"]) if not self.keywords else ""
        amp = self.number(0.2, r.choice([1, 2, 6]))
        if amp == "0":
            amp = "1"
        if first is None:
            phase = r.choice(["0", "0.0", "0.5", self.number(0, 1), "0.25"])
        else:
            phase = r.choice([f"{first} / {second}", f"{first} * {self.number(0.05, 0.9)}", "0.5", "0", f"({first} % 2) * 0.5", f"float({first}) / {second}"])
            amp = r.choice([amp, amp, f"{first} * {self.number(0.1, 1.0)}", f"{amp} + {first} / {second}"])
        if self.keywords:
            return f", False, amplitude={amp}, phase={phase}"
        return r.choice([f", False, {amp}, {phase}"] * 4 + [f", False, {amp}"])

    def muscle(self, a, b, first=None, second=None):
        return f"{self.wc}.add_muscle({a}, {b}{self.arguments(first, second)})"

    # Groups of joints: each puts a list into a variable, and gives its name and how many it has.
    def places(self, i, n, left, low, size):
        """The place of joint `i` of `n` as two expressions."""
        r, c = self.r, self.number
        shape = r.choice(["row", "row", "column", "ring", "ring", "arc", "wave", "zigzag", "slope", "fan", "spiral"])
        gap = self.value("step", c(1.2, 1 + size / 3))
        if shape == "row":
            return f"{left} + {i} * {gap}", low
        if shape == "column":
            return left, f"{low} + {i} * {gap}"
        if shape == "zigzag":
            return f"{left} + {i} * {gap}", f"{low} + ({i} % 2) * {c(1, size / 2)}"
        if shape == "slope":
            return f"{left} + {i} * {gap}", f"{low} + {i} * {c(0.3, 2)}"
        if shape == "wave":
            return f"{left} + {i} * {gap}", f"{low} + {self.fn('sin')}({i} * {c(0.4, 2)}) * {c(1, 4)}"
        radius = self.value("size", c(2, size / 1.5))
        turn = {
            "ring": f"2 * {self.fn('pi')} * {i} / {n}" if r.random() < 0.6 else f"6.28 * {i} / {n}",
            "arc": f"{self.fn('pi')} * {i} / ({n} - 1)",
            "fan": f"{c(0.1, 0.6)} + {i} * {c(0.2, 0.8)}",
            "spiral": f"{i} * {c(0.5, 1.2)}",
        }[shape]
        if shape == "spiral":
            radius = f"({radius} + {i} * {c(0.2, 0.9)})"
        return f"{left} + {radius} * {self.fn('cos')}({turn})", f"{low} + {radius} * {self.fn('sin')}({turn})"

    def group(self):
        r = self.r
        count = r.randrange(3, 8)
        left, low, size = self.number(0, 8), self.number(0, 6), r.uniform(4, 9)
        group = self.name(NOUNS)
        self.say(f"the {group.replace('_', ' ')}")
        kind = r.random()
        if kind < 0.2:
            points = [(self.number(0, 12), self.number(0, 9)) for _ in range(count)]
            return self.table(group, points, count)
        i = self.name(COUNTERS)
        n = self.value("count", str(count))
        if kind < 0.4:
            return self.helped(group, i, n, left, low, size, count)
        x, y = self.places(i, n, left, low, size)
        call = f"{self.wc}.add_joint({x}, {y})"
        if self.style == "list" and len(call) < 70:
            self.body.append(f"{group} = [{call} for {i} in range({n})]")
        elif self.style == "while":
            self.body += [f"{group} = []", f"{i} = 0", f"while {i} < {n}:"]
            self.body += [f"\t{group}.append({call})", f"\t{i} += 1"]
        elif r.random() < 0.4:
            px, py = self.name(["x", "px", "xx", "cx"]), self.name(["y", "py", "yy", "cy"])
            self.body += [f"{group} = []", f"for {i} in range({n}):", f"\t{px} = {x}", f"\t{py} = {y}"]
            self.body += [f"\t{group}.append({self.wc}.add_joint({px}, {py}))"]
        else:
            self.body += [f"{group} = []", f"for {i} in range({n}):", f"\t{group}.append({call})"]
        return group, count, n

    def table(self, group, points, count):
        r = self.r
        kind = r.random()
        if kind < 0.4:
            names = [self.name(NOUNS) for _ in points[:5]]
            for name, (x, y) in zip(names, points):
                self.body.append(f"{name} = {self.wc}.add_joint({x}, {y})")
            self.body.append(f"{group} = [{', '.join(names)}]")
            return group, len(names), str(len(names))
        table = self.name(["points", "places", "spots", "table", "layout", "coords", "nodes", "sites"])
        if self.capital:
            table = table.upper()
        text = ", ".join(f"({x}, {y})" for x, y in points)
        (self.consts if self.capital else self.body).append(f"{table} = [{text}]")
        x, y = self.name(["x", "px", "h", "gx"]), self.name(["y", "py", "v", "gy"])
        if self.style == "list":
            self.body.append(f"{group} = [{self.wc}.add_joint({x}, {y}) for {x}, {y} in {table}]")
        else:
            self.body += [f"{group} = []", f"for {x}, {y} in {table}:", f"\t{group}.append({self.wc}.add_joint({x}, {y}))"]
        return group, count, r.choice([str(count), f"len({table})"])

    def helped(self, group, i, n, left, low, size, count):
        """A group that a function of its own places."""
        r = self.r
        function = f"{r.choice(VERBS)}_{self.name(NOUNS)}"
        given = [self.name(words) for words in (["x", "left", "cx", "x0", "start"], ["y", "bottom", "cy", "y0", "level"])]
        size_name, made = self.name(SIZES["count"]), self.name(NOUNS)
        outer, self.body = self.body, []
        inline, self.inline = self.inline, 1.0
        x, y = self.places(i, size_name, given[0], given[1], size)
        self.inline = inline
        order = [(given[0], left), (given[1], low), (size_name, n)]
        r.shuffle(order)
        lines = [f"def {function}({self.wc}, {', '.join(name for name, _ in order)}):"]
        if self.comments and r.random() < 0.5:
            lines.append(f'\t""" {function.replace("_", " ").capitalize()} """')
        lines += [f"\t{made} = []", f"\tfor {i} in range({size_name}):", f"\t\t{made}.append({self.wc}.add_joint({x}, {y}))"]
        lines += [f"\treturn {made}"]
        self.body = outer
        self.helpers.append(lines)
        self.body.append(f"{group} = {function}({self.wc}, {', '.join(str(value) for _, value in order)})")
        return group, count, n

    # Muscles within a group and between two.
    def within(self, group, count, n):
        r = self.r
        i = self.name(COUNTERS)
        way = r.choice(["chain", "chain", "ring", "skip", "zip", "hub", "table", "helper"])
        if way == "chain":
            last = r.choice([f"{n} - 1", f"len({group}) - 1"])
            self.body += [f"for {i} in range({last}):", f"\t{self.muscle(f'{group}[{i}]', f'{group}[{i} + 1]', i, n)}"]
        elif way == "ring":
            self.body += [f"for {i} in range({n}):", f"\t{self.muscle(f'{group}[{i}]', f'{group}[({i} + 1) % {n}]', i, n)}"]
        elif way == "skip":
            self.body += [f"for {i} in range({n} - 2):", f"\t{self.muscle(f'{group}[{i}]', f'{group}[{i} + 1]', i, n)}"]
            self.body += [f"\t{self.muscle(f'{group}[{i}]', f'{group}[{i} + 2]', i, n)}"]
        elif way == "zip":
            a, b = self.name(["a", "one", "this", "here", "prev", "u"]), self.name(["b", "two", "other", "there", "nxt", "v"])
            self.body += [f"for {a}, {b} in zip({group}, {group}[1:]):", f"\t{self.muscle(a, b)}"]
        elif way == "hub":
            hub = self.name(["hub", "center", "middle", "heart", "mass", "core", "focus"])
            self.body.append(f"{hub} = {self.wc}.add_joint({self.number(3, 8)}, {self.number(2, 8)})")
            self.body += [f"for {i} in range({n}):", f"\t{self.muscle(f'{group}[{i}]', hub, i, n)}"]
            if r.random() < 0.6:
                self.body.append(f"\t{self.muscle(f'{group}[{i}]', f'{group}[{i} - 1]', i, n)}")
        elif way == "table":
            pairs = [(a, a + 1) for a in range(count - 1)]
            pairs += [tuple(sorted(r.sample(range(count), 2))) for _ in range(r.randrange(1, 4))]
            name = self.name(["pairs", "edges", "links", "bonds", "wires", "springs"])
            a, b = self.name(["a", "p", "f", "tail_end"]), self.name(["b", "q", "g", "head_end"])
            self.body.append(f"{name} = [{', '.join(f'({p}, {q})' for p, q in pairs)}]")
            self.body += [f"for {a}, {b} in {name}:", f"\t{self.muscle(f'{group}[{a}]', f'{group}[{b}]')}"]
        else:
            function, row = f"{r.choice(JOINERS)}_{self.name(NOUNS)}", self.name(["row", "line", "items", "joints", "seq", "group"])
            amp, phase = self.name(SIZES["amp"]), self.name(SIZES["phase"])
            lines = [f"def {function}({self.wc}, {row}, {amp}, {phase}):", f"\tfor {i} in range(len({row}) - 1):"]
            lines += [f"\t\t{self.wc}.add_muscle({row}[{i}], {row}[{i} + 1], False, {amp}, {phase} * {i})"]
            self.helpers.append(lines)
            self.body.append(f"{function}({self.wc}, {group}, {self.number(0.3, 3)}, {self.number(0, 1)})")

    def between(self, one, two):
        (a, count, n), (b, other, m) = one, two
        r = self.r
        i = self.name(COUNTERS)
        way = r.choice(["zip", "min", "all", "ends", "cross", "few"])
        if way == "zip":
            p, q = self.name(["p", "top", "high", "fst", "from_joint"]), self.name(["q", "low", "bottom", "snd", "to_joint"])
            self.body += [f"for {p}, {q} in zip({a}, {b}):", f"\t{self.muscle(p, q)}"]
        elif way == "min":
            self.body += [f"for {i} in range(min({n}, {m})):", f"\t{self.muscle(f'{a}[{i}]', f'{b}[{i}]', i, n)}"]
        elif way == "all":
            anchor = r.randrange(count)
            self.body += [f"for {i} in {b}:", f"\t{self.muscle(f'{a}[{anchor}]', i)}"]
        elif way == "cross":
            self.body += [f"for {i} in range({min(count, other) - 1}):", f"\t{self.muscle(f'{a}[{i}]', f'{b}[{i}]', i, n)}"]
            self.body += [f"\t{self.muscle(f'{a}[{i}]', f'{b}[{i} + 1]', i, n)}"]
        else:
            for _ in range(r.randrange(2, 5)):
                self.body.append(self.muscle(f"{a}[{r.randrange(count)}]", f"{b}[{r.randrange(other)}]"))
            self.body.append(self.muscle(f"{a}[0]", f"{b}[-1]"))

    def write(self):
        r = self.r
        groups = []
        for _ in range(r.choice([1, 1, 2, 2, 2, 3])):
            groups.append(self.group())
            if self.comments and r.random() < 0.3:
                self.body.append("")
            self.within(*groups[-1])
            if len(groups) > 1:
                self.between(groups[-2], groups[-1])
            if r.random() < 0.3:
                self.body.append("")
        while self.body[-1] == "":
            self.body.pop()
        main = "make_walker" if r.random() < 0.5 else f"make_{r.choice(ANIMALS)}"
        lines = [f"def {main}():", f"\t{self.wc} = walker_creator()", *(f"\t{line}" if line else "" for line in self.body)]
        if r.random() < 0.4:
            lines.append("")
        lines.append(f"\treturn {self.wc}.get_walker()")
        r.shuffle(self.helpers)
        parts = [*self.helpers, lines]
        imports = ["from walk_creator import walker_creator"] + ([self.math] if self.uses_math else [])
        if r.random() < 0.4:
            imports.reverse()
        if len(imports) > 1 and r.random() < 0.3:
            imports.insert(1, "")
        text = ["\n".join(imports)]
        if self.consts:
            text.append("\n".join(self.consts))
        text += ["\n".join(part) for part in parts]
        blank = r.choice(["\n\n\n"] * 3 + ["\n\n"])
        return blank.join(text).replace("\t", self.indent) + "\n"


def program(number):
    return Writer(number).write()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0, help="number of the first program")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    for number in range(args.first, args.first + args.count):
        (args.folder / f"seed-{number:06}.py").write_text(program(number))


if __name__ == "__main__":
    main()
