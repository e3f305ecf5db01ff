"""Walker programs that follow a plan, as people write them: a ladder of rungs, limbs at a hub, strips, points by name, a grid, a curve ..."""

from writer import COUNTERS, JOINERS, NOUNS, SIZES, VERBS, Writer

LEFT, RIGHT = "left l a p one lo first west".split(), "right r b q two hi second east".split()
LASTS = "prev last below before old previous behind lower".split()
ROWS = "row line items joints seq group nodes chain points_in".split()


class Plans(Writer):
    def write(self):
        r = self.r
        self.nested = r.random() < 0.15
        self.documented = r.random() < 0.3
        plan = r.choice([self.stack, self.stack, self.limbs, self.limbs, self.strips, self.strips, self.named, self.named]
                        + [self.grid, self.curve, self.corners, self.wheel, self.branch, self.pairs])
        plan()
        return self.text()

    # Small parts of all plans.
    def helper(self, name, params, lines):
        """Defines a function of the module or within the main one; gives how a call of it begins."""
        about = []
        if self.documented:
            words = name.replace("_", " ").capitalize()
            about = self.r.choice([[f'\t"""{words}."""'], [f"\t'''{words}'''"], [f'\t"""', f"\t{words}", f'\t"""']])
        given = params if self.nested else [self.wc, *params]
        text = [f"def {name}({', '.join(given)}):", *about, *(f"\t{line}" for line in lines)]
        if self.nested:
            self.body += [*text, ""] if self.r.random() < 0.7 else text
            return f"{name}("
        self.helpers.append(text)
        return f"{name}({self.wc}, "

    def function(self, verbs=VERBS, nouns=NOUNS):
        name = f"{self.r.choice(verbs)}_{self.name(nouns)}"
        return name if self.r.random() < 0.7 else self.name(nouns)

    def joint(self, x, y):
        return f"{self.wc}.add_joint({x}, {y})"

    def link(self, a, b, rigid=None, first=None, second=None):
        """A muscle that is stiff or moves, as wished, or either."""
        r = self.r
        if rigid is None:
            return self.muscle(a, b, first, second)
        if rigid:
            return f"{self.wc}.add_muscle({a}, {b}{r.choice(['', '', ', True'])})"
        amp, phase = self.number(0.2, 2), r.choice(["0", "0.5", "0.25", self.number(0, 1)])
        if first is not None:
            phase = r.choice([f"{first} / {second}", f"{first} * {self.number(0.05, 0.5)}", f"({first} % 2) / 2", "0.5", "0.0"])
        if amp == "0":
            amp = "1"
        if self.keywords:
            return f"{self.wc}.add_muscle({a}, {b}, False, amplitude={amp}, phase={phase})"
        return f"{self.wc}.add_muscle({a}, {b}, False, {amp}, {phase})"

    def loop(self, i, n, inside, start=None):
        """A loop of `i` over `n`, as lines."""
        if self.style == "while" and self.r.random() < 0.4:
            return [f"{i} = {start or 0}", f"while {i} < {n}:", *(f"\t{line}" for line in inside), f"\t{i} += 1"]
        return [f"for {i} in range({f'{start}, ' if start else ''}{n}):", *(f"\t{line}" for line in inside)]

    def count(self, low, high):
        return self.value("count", str(self.r.randrange(low, high)))

    # The plans.
    def element(self, x, y):
        """The lines that make two to four joints around (x, y) and join them; and their names."""
        r, c = self.r, self.number
        width, height = c(2, 7), c(1, 4)
        left, right = self.name(LEFT), self.name(RIGHT)
        lines = [f"{left} = {self.joint(x, y)}", f"{right} = {self.joint(f'{x} + {width}' if x != '0' else width, y)}"]
        names = [left, right]
        kind = r.random()
        if kind < 0.25:
            names.append(self.name(["tip", "top", "peak", "apex", "c", "third", *NOUNS]))
            lines.append(f"{names[2]} = {self.joint(f'{x} + {c(1, 3)}', f'{y} + {height}')}")
        elif kind < 0.4:
            names += [self.name(["c", "top_left", "ul", *NOUNS]), self.name(["d", "top_right", "ur", *NOUNS])]
            lines += [f"{names[2]} = {self.joint(x, f'{y} + {height}')}", f"{names[3]} = {self.joint(f'{x} + {width}', f'{y} + {height}')}"]
        if r.random() < 0.25:
            r.shuffle(lines)
        for at in range(len(names) - 1):
            lines.append(self.link(names[at], names[at + 1], r.choice([True, True, None])))
        if len(names) > 2:
            lines.append(self.link(names[0], names[-1]))
        if len(names) == 4:
            lines += [self.link(names[0], names[2])] if r.random() < 0.7 else []
            lines += [self.link(names[1], names[3])] if r.random() < 0.7 else []
        return lines, names

    def stack(self):
        """Elements one above or beside the other, each joined to the one before."""
        r = self.r
        up = r.random() < 0.6
        along = self.name(["y", "height", "level", "h", "at"] if up else ["x", "place", "at", "offset_x", "d"])
        other = r.choice(["0", "0", self.number(0, 4)])
        i, n = self.name(COUNTERS), self.count(3, 7)
        step = self.value("step", self.number(1.5, 4))
        with self.aside():
            lines, names = self.element(other, along) if up else self.element(along, other)
            shape = r.choice(["({})", "{}", "{}", "[{}]"])
            lines.append(f"return {shape.format(', '.join(names))}")
        function = self.function()
        call = self.helper(function, [along], lines) + r.choice([f"{i} * {step})", f"{step} * {i})"])
        now = self.name([*NOUNS, "current", "new", "this"])
        way = r.choice(["last", "last", "list", "zip", "comp"])
        pairs = [(0, 0), (1, 1)] + r.sample([(0, 1), (1, 0), (-1, 0), (-1, -1)], r.choice([0, 1, 1, 2]))
        if len(names) == 2:
            pairs = [(p % 2, q % 2) for p, q in pairs]
        pairs = list(dict.fromkeys(pairs))
        if way == "last":
            last = self.name(LASTS)
            test = r.choice([f"{last} is not None", f"{last}", f"{i} > 0", f"{i}", f"{last} != None"])
            links = [self.link(f"{last}[{p}]", f"{now}[{q}]", None, i, n) for p, q in pairs]
            inside = [f"{now} = {call}", f"if {test}:", *(f"\t{line}" for line in links), f"{last} = {now}"]
            self.body += [f"{last} = {r.choice(['None', 'None', '[]', '()'])}" if "None" not in test else f"{last} = None", *self.loop(i, n, inside)]
            return
        whole = self.name([f"{noun}s" for noun in NOUNS])
        if way == "comp":
            self.body.append(f"{whole} = [{call} for {i} in range({n})]")
        else:
            self.body += [f"{whole} = []", *self.loop(i, n, [f"{whole}.append({call})"])]
        if way == "zip" or r.random() < 0.3:
            low, high = self.name(LASTS), self.name(["nxt", "upper", "above", "cur", "following", "b", "high"])
            self.body += [f"for {low}, {high} in zip({whole}, {whole}[1:]):"]
            self.body += [f"\t{self.link(f'{low}[{p}]', f'{high}[{q}]')}" for p, q in pairs]
            return
        j = self.name(COUNTERS)
        self.body += self.loop(j, r.choice([f"{n} - 1", f"len({whole}) - 1"]), [self.link(f"{whole}[{j}][{p}]", f"{whole}[{j} + 1][{q}]", None, j, n) for p, q in pairs])

    def limbs(self):
        """Limbs of two or three joints at a hub or at a body's joints."""
        r, c = self.r, self.number
        self.uses_math = self.uses_math or r.random() < 0.6
        round_ = self.uses_math
        hub = self.name(["hub", "center", "body", "core", "chest", "middle", "root", "base", "trunk"])
        x0, y0 = c(4, 9), c(5, 9)
        anchor, reach, phase = self.name(["hub", "anchor", "joint", "parent", "root", "origin", "at"]), self.name(["reach", "length", "size", "long", "r", "stretch"]), self.name(SIZES["phase"])
        angle = self.name(["angle", "theta", "t", "turn_by", "direction", "dx", "side", "way"])
        knee, foot = self.name(["knee", "mid", "elbow", "upper_end", "k", "bend"]), self.name(["foot", "toe", "end", "f", "tip", "hand"])
        with self.aside():
            if round_:
                cos, sin = self.fn("cos"), self.fn("sin")
                lines = [f"{knee} = {self.joint(f'{x0} + {reach} * {cos}({angle})', f'{y0} + {reach} * {sin}({angle})')}"]
                lines += [f"{foot} = {self.joint(f'{x0} + 2 * {reach} * {cos}({angle})', r.choice(['0', c(0, 2), f'{y0} + 2 * {reach} * {sin}({angle})']))}"]
            else:
                lines = [f"{knee} = {self.joint(f'{x0} + {angle}', r.choice([reach, f'{y0} - {reach}', c(2, 5)]))}"]
                lines += [f"{foot} = {self.joint(f'{x0} + {angle} * {c(1.2, 2)}', '0')}"]
            rigid = r.choice([True, None])
            links = [self.link(anchor, knee, rigid), self.link(knee, foot, rigid), self.moved(anchor, foot, phase)]
            lines += links if r.random() < 0.8 else links[:1] + links[2:]
            back = r.choice([knee, foot, knee, f"{knee}, {foot}", None])
            if back:
                lines.append(f"return {back}")
        params = [anchor, angle, reach, phase]
        order = list(range(4))
        if r.random() < 0.4:
            r.shuffle(order)
        self.body.append(f"{hub} = {self.joint(x0, y0)}")
        call = self.helper(self.function(), [params[at] for at in order], lines)

        def args(i, n):
            turn = f"{c(0.1, 1)} + {i} * {c(0.4, 1)}" if round_ else r.choice([f"{i} * {c(1, 3)}", f"{i} * {c(1, 3)} - {c(1, 5)}"])
            given = [hub, turn, c(2, 5), r.choice([f"{i} * {c(0.1, 0.5)}", f"{i} / {n}", "0.5", f"{i} % 2 * 0.5"])]
            return call + ", ".join(given[at] for at in order) + ")"

        many = self.name([f"{noun}s" for noun in NOUNS])
        way = r.choice(["append", "append", "comp", "unrolled", "table"])
        if not back:
            way = r.choice(["bare", "table", "unrolled"])
        if way in ("unrolled", "table"):
            rows = [(c(-3, 3) if not round_ else c(0, 6), c(2, 5), r.choice(["0", "0.5", "0.25", c(0, 1)])) for _ in range(r.randrange(2, 5))]
            if way == "table":
                t, l, p = self.name(COUNTERS), self.name(["size_of", "ln", "u", "w_", "long_"]), self.name(["ph", "moment_of", "v_", "delay_of"])
                given = [hub, t, l, p]
                inner = call + ", ".join(given[at] for at in order) + ")"
                listed = ", ".join(f"({', '.join(row)})" for row in rows)
                if back:
                    self.body += [f"{many} = []"]
                    inner = f"{many}.append({inner})"
                self.body += [f"for {t}, {l}, {p} in [{listed}]:", f"\t{inner}"]
            else:
                names = [self.name(NOUNS) for _ in rows]
                for name, row in zip(names, rows):
                    given = [hub, *row]
                    text = call + ", ".join(given[at] for at in order) + ")"
                    self.body.append(f"{name} = {text}" if back else text)
                if back:
                    self.body.append(f"{many} = [{', '.join(names)}]")
        else:
            i, n = self.name(COUNTERS), self.count(3, 7)
            if way == "comp":
                self.body.append(f"{many} = [{args(i, n)} for {i} in range({n})]")
            elif way == "append":
                self.body += [f"{many} = []", *self.loop(i, n, [f"{many}.append({args(i, n)})"])]
            else:
                self.body += self.loop(i, n, [args(i, n)])
        if not back:
            return
        a, b = self.name(["a", "one", "this", "u", "here"]), self.name(["b", "two", "that", "v", "there"])
        part = r.choice(["[0]", "[1]"]) if "," in back else ""
        if r.random() < 0.6:
            self.body += [f"for {a}, {b} in zip({many}, {many}[1:]):", f"\t{self.link(f'{a}{part}', f'{b}{part}')}"]
        else:
            self.body += [f"for {a} in range(len({many}) - 1):", f"\t{self.link(f'{many}[{a}]{part}', f'{many}[{a} + 1]{part}')}"]

    def moved(self, a, b, phase):
        """A muscle whose phase has a name."""
        amp = self.number(0.3, 2)
        amp = "1" if amp == "0" else amp
        if self.keywords:
            return f"{self.wc}.add_muscle({a}, {b}, False, amplitude={amp}, phase={phase})"
        return f"{self.wc}.add_muscle({a}, {b}, False, {amp}, {phase})"

    def heights(self, x):
        """A height that a function of the module gives, or None."""
        r, c = self.r, self.number
        function = self.name(["arch", "wave", "curve", "bump", "profile", "hill", "slope_at", "height_at", "shape", "f", "bow_at"])
        at, rise = self.name(["x", "t", "s", "u", "v"]), self.name(["rise", "top", "high", "scale", "h"])
        kind = r.random()
        if kind < 0.4:
            value = f"{rise} * {self.fn('sin')}({at}{r.choice([f' / {c(2, 6)}', f' * {c(0.2, 1)}', ''])})"
        elif kind < 0.7:
            value = f"{rise} * {at} * ({c(8, 16)} - {at}) / {c(20, 60)}"
        else:
            value = f"{rise} + {r.choice([f'abs({at} - {c(3, 8)})', f'{at} * {c(0.1, 0.7)}', f'{at} % {c(2, 4)}'])}"
        params = [at, rise]
        if r.random() < 0.3:
            params.reverse()
        self.helpers.append([f"def {function}({', '.join(params)}):", f"\treturn {value}"])
        top = c(1, 4)
        given = [x, top] if params[0] == at else [top, x]
        return f"{function}({', '.join(given)})"

    def strips(self):
        self.layers(self.r.random() < 0.25)

    def curve(self):
        self.layers(True)

    def layers(self, curved):
        """Two or three rows of joints of the same length, braced."""
        r, c = self.r, self.number
        rows = [self.name([f"{noun}s" for noun in NOUNS]) for _ in range(r.choice([2, 2, 2, 3]))]
        i = self.name(COUNTERS)
        n, step = self.count(3, 7), self.value("step", c(1.5, 4))
        more = r.choice(["", "", " + 1"])
        x = r.choice([f"{i} * {step}", f"{step} * {i}"])
        place = self.name(["x", "px", "where", "xx"]) if r.random() < 0.4 else None
        base = self.heights(place or x) if curved else None
        heights = []
        for at in range(len(rows)):
            level = str(at * r.randrange(2, 4)) if r.random() < 0.7 else c(at * 2, at * 2 + 3)
            heights.append(level if not base else base if at == 0 else f"{base} + {level}")
        r.shuffle(heights)
        joints = [self.joint(place or x, height) for height in heights]
        way = r.random()
        if way < 0.3 and not place:
            self.body += [f"{row} = [{joint} for {i} in range({n}{more})]" for row, joint in zip(rows, joints)]
        elif way < 0.45 and not place:
            for row, joint in zip(rows, joints):
                self.body += [f"{row} = []", *self.loop(i, f"{n}{more}", [f"{row}.append({joint})"])]
        else:
            empty = ", ".join("[]" for _ in rows)
            self.body += [f"{', '.join(rows)} = {empty}"] if r.random() < 0.5 else [f"{row} = []" for row in rows]
            inside = [f"{place} = {x}"] if place else []
            self.body += self.loop(i, f"{n}{more}", inside + [f"{row}.append({joint})" for row, joint in zip(rows, joints)])
        j = self.name(COUNTERS)
        last = n if more else r.choice([f"{n} - 1", f"len({rows[0]}) - 1"])
        inside = []
        if r.random() < 0.35:
            function, row = self.function(JOINERS), self.name(ROWS)
            rigid, amp = self.name(["rigid", "stiff", "fixed", "hard"]), self.name(SIZES["amp"])
            k = self.name(COUNTERS)
            with self.aside():
                link = f"{self.wc}.add_muscle({row}[{k}], {row}[{k} + 1], {rigid}, {amp}, {r.choice([f'{k} / len({row})', '0.5', f'{k} * 0.1'])})"
                lines = self.loop(k, f"len({row}) - 1", [link])
            params = [row, rigid, amp]
            swap = r.random() < 0.3
            if swap:
                params.reverse()
            call = self.helper(function, params, lines)
            for one in rows:
                stiff = r.random() < 0.4
                given = [one, str(stiff), "0" if stiff else c(0.3, 2)]
                self.body.append(call + ", ".join(reversed(given) if swap else given) + ")")
        else:
            inside += [self.link(f"{row}[{j}]", f"{row}[{j} + 1]", None, j, n) for row in rows]
        for one, two in zip(rows, rows[1:]):
            inside += [self.link(f"{one}[{j}]", f"{two}[{j} + 1]", None, j, n)] if r.random() < 0.7 else []
            inside += [self.link(f"{two}[{j}]", f"{one}[{j} + 1]", None, j, n)] if r.random() < 0.25 else []
        inside = inside or [self.link(f"{rows[0]}[{j}]", f"{rows[1]}[{j} + 1]")]
        self.body += self.loop(j, last, inside)
        for one, two in zip(rows, rows[1:]):
            a, b = self.name(["a", "top", "high", "one", "u"]), self.name(["b", "low", "foot", "two", "v"])
            self.body += r.choice([
                [f"for {a}, {b} in zip({one}, {two}):", f"\t{self.link(a, b)}"],
                [f"for {a} in range(len({one})):", f"\t{self.link(f'{one}[{a}]', f'{two}[{a}]', None, a, n)}"],
                [self.link(f"{one}[0]", f"{two}[0]"), self.link(f"{one}[-1]", f"{two}[-1]")],
            ])

    def keep(self, name, text):
        """A table, of the module or local; long ones over several lines."""
        lines = f"{name} = {text}"
        (self.consts if self.r.random() < 0.5 else self.body).append(lines)

    def named(self):
        """Points by name, and pairs of names to join."""
        r, c = self.r, self.number
        count = r.randrange(4, 8)
        letters = r.random() < 0.5
        keys = r.sample("abcdefghjklmnpqrstuvwxyz", count) if letters else [self.name(NOUNS) for _ in range(count)]
        if letters and r.random() < 0.6:
            keys = list("abcdefgh"[:count])
        q = r.choice(['"', "'"])
        quoted = {key: f"{q}{key}{q}" for key in keys}
        table, joints = self.name(["points", "places", "spots", "coords", "layout", "nodes", "where"]), self.name(["joints", "j", "made", "by_name", "parts", "items"])
        spots = [(c(0, 10), c(0, 9)) for _ in keys]
        as_list = r.random() < 0.3
        key, place, x, y = self.name(["name", "key", "label", "who", "k", "tag"]), self.name(["place", "pos", "spot", "xy", "at"]), self.name(["x", "px", "u"]), self.name(["y", "py", "v"])
        if as_list:
            self.keep(table, "[" + ", ".join(f"({quoted[k]}, {px}, {py})" for k, (px, py) in zip(keys, spots)) + "]")
            self.body += [f"{joints} = {{}}", f"for {key}, {x}, {y} in {table}:", f"\t{joints}[{key}] = {self.joint(x, y)}"]
        else:
            self.keep(table, "{" + ", ".join(f"{quoted[k]}: ({px}, {py})" for k, (px, py) in zip(keys, spots)) + "}")
            way = r.random()
            if way < 0.35:
                self.body += [f"{joints} = {{}}", f"for {key}, {place} in {table}.items():", f"\t{joints}[{key}] = {self.joint(f'{place}[0]', f'{place}[1]')}"]
            elif way < 0.6:
                self.body += [f"{joints} = {{}}", f"for {key}, ({x}, {y}) in {table}.items():", f"\t{joints}[{key}] = {self.joint(x, y)}"]
            elif way < 0.8:
                self.body += [f"{joints} = {{}}", f"for {key} in {table}:", f"\t{x}, {y} = {table}[{key}]", f"\t{joints}[{key}] = {self.joint(x, y)}"]
            else:
                self.body += [f"{joints} = {{{key}: {self.joint(x, y)} for {key}, ({x}, {y}) in {table}.items()}}"]
        pairs = [(keys[at], keys[at + 1]) for at in range(count - 1)]
        for _ in range(r.randrange(2, 6)):
            pair = tuple(r.sample(keys, 2))
            if pair not in pairs and pair[::-1] not in pairs:
                pairs.append(pair)
        r.shuffle(pairs)
        cut = r.randrange(1, len(pairs))
        strings = letters and r.random() < 0.6
        written = lambda pair: f"{q}{pair[0]}{pair[1]}{q}" if strings else f"({quoted[pair[0]]}, {quoted[pair[1]]})"
        stiff, moving = self.name(["rigid", "bones", "bars", "beams", "stiff", "edges", "fixed"]), self.name(["swings", "muscles", "springs", "moving", "wires", "soft_ones"])
        a, b = self.name(["a", "p", "start", "f"]), self.name(["b", "q", "stop", "g"])
        pair, amp, phase = self.name(["pair", "ends", "e", "bond"]), self.name(SIZES["amp"]), self.name(SIZES["phase"])
        self.keep(stiff, "[" + ", ".join(written(p) for p in pairs[:cut]) + "]")
        values = [(c(0.3, 2), r.choice(["0.0", "0.5", "0.25", c(0, 1)])) for _ in pairs[cut:]]
        if strings:
            self.keep(moving, "[" + ", ".join(f"({written(p)}, {s}, {m})" for p, (s, m) in zip(pairs[cut:], values)) + "]")
        else:
            self.keep(moving, "[" + ", ".join(f"({quoted[p[0]]}, {quoted[p[1]]}, {s}, {m})" for p, (s, m) in zip(pairs[cut:], values)) + "]")
        if strings and r.random() < 0.6:
            self.body += [f"for {pair} in {stiff}:", f"\t{self.link(f'{joints}[{pair}[0]]', f'{joints}[{pair}[1]]', True)}"]
            self.body += [f"for {pair}, {amp}, {phase} in {moving}:", f"\t{self.wc}.add_muscle({joints}[{pair}[0]], {joints}[{pair}[1]], False, {amp}, {phase})"]
            return
        self.body += [f"for {a}, {b} in {stiff}:", f"\t{self.link(f'{joints}[{a}]', f'{joints}[{b}]', True)}"]
        ends = f"({a}, {b})" if strings else f"{a}, {b}"
        self.body += [f"for {ends}, {amp}, {phase} in {moving}:", f"\t{self.wc}.add_muscle({joints}[{a}], {joints}[{b}], False, {amp}, {phase})"]

    def grid(self):
        """Rows and columns of joints."""
        r, c = self.r, self.number
        wide, high = self.value("count", str(r.randrange(3, 6))), self.value("count", str(r.randrange(2, 4)))
        i, j = self.name(["i", "row", "y", "line_no", "rr"]), self.name(["j", "col", "x", "cc", "k"])
        net, row = self.name(["grid", "net", "mesh", "rows", "cells", "nodes"]), self.name(ROWS)
        joint = self.joint(f"{j} * {self.value('step', c(1.5, 4))}", f"{i} * {c(1.5, 4)}")
        by_key = r.random() < 0.35
        cell = (lambda a, b: f"{net}[{a}, {b}]") if by_key else (lambda a, b: f"{net}[{a}][{b}]")
        if by_key:
            self.body += [f"{net} = {{}}", f"for {i} in range({high}):", f"\tfor {j} in range({wide}):", f"\t\t{cell(i, j)} = {joint}"]
        elif r.random() < 0.4:
            self.body.append(f"{net} = [[{joint} for {j} in range({wide})] for {i} in range({high})]")
        else:
            self.body += [f"{net} = []", f"for {i} in range({high}):", f"\t{row} = []", f"\tfor {j} in range({wide}):", f"\t\t{row}.append({joint})", f"\t{net}.append({row})"]
        self.body += [f"for {i} in range({high}):", f"\tfor {j} in range({wide}):"]
        back = r.random() < 0.4
        to, last_j, last_i = ("-", f"{j} > 0", f"{i} > 0") if back else ("+", f"{j} + 1 < {wide}", f"{i} + 1 < {high}")
        if back and r.random() < 0.3:
            last_j, last_i = j, i
        self.body += [f"\t\tif {last_j}:", f"\t\t\t{self.link(cell(i, j), cell(i, f'{j} {to} 1'))}"]
        self.body += [f"\t\tif {last_i}:", f"\t\t\t{self.link(cell(i, j), cell(f'{i} {to} 1', j), None, j, wide)}"]
        if r.random() < 0.7:
            self.body += [f"\t\tif {last_i} and {last_j}:", f"\t\t\t{self.link(cell(i, j), cell(f'{i} {to} 1', f'{j} {to} 1'))}"]

    def corners(self):
        """A body joint by joint, muscle by muscle; legs perhaps."""
        r, c = self.r, self.number
        count = r.randrange(3, 7)
        numbered = r.random() < 0.3
        stem = self.name(["j", "joint", "p", "n", "node"])
        names = [f"{stem}{at + 1}" for at in range(count)] if numbered else [self.name(NOUNS) for _ in range(count)]
        self.taken.update(names)
        for name in names:
            self.body.append(f"{name} = {self.joint(c(0, 10), c(0, 8))}")
        if r.random() < 0.3:
            self.body.append("")
        pairs = [(names[at], names[(at + 1) % count]) for at in range(count)]
        others = [(a, b) for at, a in enumerate(names) for b in names[at + 2 :] if (a, b) not in pairs and (b, a) not in pairs]
        pairs += r.sample(others, min(len(others), r.randrange(1, 4)))
        for a, b in pairs:
            self.body.append(self.link(a, b, r.choice([True, None, False])))
        if r.random() < 0.6:
            at, foot, phase = self.name(["hip", "corner", "at", "h", "shoulder"]), self.name(["foot", "leg", "paw", "toe"]), self.name(SIZES["phase"])
            if r.random() < 0.5:
                listed = ", ".join(f"({name}, {c(0, 9)}, {r.choice(['0.0', '0.5', '0.25'])})" for name in r.sample(names, 2))
                x = self.name(["x", "px", "where"])
                self.body += [f"for {at}, {x}, {phase} in [{listed}]:", f"\t{foot} = {self.joint(x, '0')}", f"\t{self.moved(at, foot, phase)}"]
                self.body += [f"\t{self.link(foot, r.choice(names))}"]
            else:
                i = self.name(COUNTERS)
                self.body += [f"for {i}, {at} in enumerate([{', '.join(r.sample(names, 2))}]):", f"\t{foot} = {self.joint(f'{i} * {c(3, 8)}', '0')}"]
                self.body += [f"\t{self.link(at, foot, False, i, '2')}", f"\t{self.link(foot, names[0])}"]

    def wheel(self):
        """A rim around a hub."""
        r, c = self.r, self.number
        hub, rim = self.name(["hub", "center", "axle", "middle", "mid"]), self.name(["rim", "ring", "outer", "wheel", "edge_joints", "circle"])
        x, y = self.value("size", c(4, 8)), self.value("size", c(4, 8))
        i, n, radius = self.name(COUNTERS), self.count(4, 9), self.value("size", c(2, 5))
        angle = self.name(["angle", "theta", "t", "turn", "phi"])
        turn = r.choice([f"2 * {self.fn('pi')} * {i} / {n}", f"{self.fn('pi')} * 2 / {n} * {i}", f"{i} * {c(0.6, 1.3)}"])
        place = lambda t: self.joint(f"{x} + {radius} * {self.fn('cos')}({t})", f"{y} + {radius} * {self.fn('sin')}({t})")
        self.body.append(f"{hub} = {self.joint(x, y)}")
        if r.random() < 0.2:
            self.body.append(f"{rim} = [{place(turn)} for {i} in range({n})]")
        else:
            self.body += [f"{rim} = []", *self.loop(i, n, [f"{angle} = {turn}", f"{rim}.append({place(angle)})"])]
        j, node = self.name(COUNTERS), self.name(["node", "one", "p", "point", "tip"])
        spoke = r.choice(["enumerate", "range", "for"])
        if spoke == "enumerate":
            nxt = r.choice([f"{rim}[({j} + 1) % {n}]", f"{rim}[{j} - 1]"])
            self.body += [f"for {j}, {node} in enumerate({rim}):", f"\t{self.link(hub, node, None, j, n)}", f"\t{self.link(node, nxt)}"]
        elif spoke == "range":
            self.body += self.loop(j, n, [self.link(f"{rim}[{j}]", f"{rim}[({j} + 1) % {n}]"), self.link(f"{rim}[{j}]", hub, False, j, n)])
        else:
            self.body += [f"for {node} in {rim}:", f"\t{self.link(node, hub)}"]
            self.body += self.loop(j, n, [self.link(f"{rim}[{j} - 1]", f"{rim}[{j}]", None, j, n)])

    def branch(self):
        """A function that calls itself."""
        r, c = self.r, self.number
        function = self.function(["grow", "branch", "split", "add", "build"])
        parent, x, y, depth = self.name(["parent", "base", "root", "below", "node"]), self.name(["x", "px", "u"]), self.name(["y", "py", "v"]), self.name(["depth", "level", "left_over", "n", "order"])
        tip, phase = self.name(["tip", "child", "new", "end", "bud"]), self.name(SIZES["phase"])
        own = "" if self.nested else f"{self.wc}, "
        step, down = c(1, 3), r.choice([f"{c(1, 3)}", f"{depth}"])
        lines = [f"if {depth} {r.choice(['== 0', '< 1', '<= 0'])}:", f"\treturn{r.choice([' None', ''])}"]
        lines += [f"{tip} = {self.joint(x, y)}", self.moved(parent, tip, phase)]
        for sign in r.choice([["-", "+"], ["+"], ["-", "+"]]):
            lines.append(f"{function}({own}{tip}, {x} {sign} {step}, {y} + {down}, {depth} - 1, {phase} + {c(0.1, 0.5)})")
        if r.random() < 0.3:
            lines.append(f"return {tip}")
        start = self.name(["root", "ground", "start", "base", "trunk"])
        self.body.append(f"{start} = {self.joint(c(3, 8), c(0, 2))}")
        call = self.helper(function, [parent, x, y, depth, phase], lines)
        for _ in range(r.choice([1, 2, 2])):
            self.body.append(f"{call}{start}, {c(2, 9)}, {c(2, 4)}, {r.choice(['2', '3', '3', self.value('count', '2')])}, {c(0, 1)})")
        other = self.name(NOUNS)
        self.body += [f"{other} = {self.joint(c(0, 10), '0')}", self.link(start, other)]

    def pairs(self):
        """A list of points and one of index pairs with values."""
        r, c = self.r, self.number
        count = r.randrange(4, 8)
        points, joints = self.name(["points", "xy", "corners", "pts", "spots"]), self.name(["joints", "js", "nodes", "made"])
        self.keep(points, "[" + ", ".join(r.choice(["({}, {})"]).format(c(0, 10), c(0, 8)) for _ in range(count)) + "]")
        x, y, point = self.name(["x", "px"]), self.name(["y", "py"]), self.name(["p", "point", "pt", "spot"])
        self.body += r.choice([
            [f"{joints} = [{self.joint(x, y)} for {x}, {y} in {points}]"],
            [f"{joints} = [{self.joint(f'{point}[0]', f'{point}[1]')} for {point} in {points}]"],
            [f"{joints} = []", f"for {point} in {points}:", f"\t{joints}.append({self.joint(f'{point}[0]', f'{point}[1]')})"],
            [f"{joints} = []", f"for {x}, {y} in {points}:", f"\t{joints}.append({self.joint(x, y)})"],
        ])
        links = [(at, at + 1) for at in range(count - 1)]
        links += [tuple(sorted(r.sample(range(count), 2))) for _ in range(r.randrange(2, 6))]
        links = list(dict.fromkeys(links))
        table, a, b = self.name(["links", "edges", "muscles", "wires", "bonds"]), self.name(["a", "i", "m", "start"]), self.name(["b", "j", "n", "stop"])
        amp, phase = self.name(SIZES["amp"]), self.name(SIZES["phase"])
        kind = r.random()
        if kind < 0.35:
            self.keep(table, "[" + ", ".join(f"({p}, {q}, {r.choice([c(0.2, 2), '0'])}, {c(0, 1)})" for p, q in links) + "]")
            self.body += [f"for {a}, {b}, {amp}, {phase} in {table}:"]
            if r.random() < 0.5:
                self.body += [f"\t{self.wc}.add_muscle({joints}[{a}], {joints}[{b}], {amp} == 0, {amp}, {phase})"]
            else:
                self.body += [f"\tif {amp} > 0:", f"\t\t{self.wc}.add_muscle({joints}[{a}], {joints}[{b}], False, {amp}, {phase})"]
                self.body += ["\telse:", f"\t\t{self.wc}.add_muscle({joints}[{a}], {joints}[{b}])"]
        elif kind < 0.6:
            k = self.name(COUNTERS)
            self.keep(table, "[" + ", ".join(f"({p}, {q})" for p, q in links) + "]")
            self.body += [f"for {k}, ({a}, {b}) in enumerate({table}):", f"\t{self.link(f'{joints}[{a}]', f'{joints}[{b}]', None, k, f'len({table})')}"]
        elif kind < 0.8:
            self.body += self.loop(a, f"len({joints})", [f"for {b} in range({a}):", f"\tif ({a} + {b}) % {r.randrange(2, 4)} {r.choice(['== 0', '== 1', '!= 0'])}:", f"\t\t{self.link(f'{joints}[{a}]', f'{joints}[{b}]', None, a, b + ' + 1')}"])
        else:
            self.body += [self.link(f"{joints}[{p}]", f"{joints}[{q}]", r.choice([True, False, None])) for p, q in links]
