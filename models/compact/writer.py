"""What the writers of walker programs share: words, names, numbers, muscles, the order of a program's parts."""

import keyword
import random
from contextlib import contextmanager

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
    """One program in one style. A tab stands for the indentation until the end."""

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

    @contextmanager
    def aside(self):
        """Lines written within go to a list of their own, where numbers stand as they are."""
        body, inline = self.body, self.inline
        self.body, self.inline = [], 1.0
        try:
            yield self.body
        finally:
            self.body, self.inline = body, inline

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

    def text(self):
        """The program: imports, constants, helper functions, and the function that gives the walker."""
        r = self.r
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
