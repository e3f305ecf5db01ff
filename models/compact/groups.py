"""Walker programs of one to three groups of joints: rows, rings, arcs, fans, waves, tables, joined in themselves and to each other."""

from writer import JOINERS, NOUNS, SIZES, VERBS, COUNTERS, Writer


class Groups(Writer):
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
        with self.aside():
            x, y = self.places(i, size_name, given[0], given[1], size)
        order = [(given[0], left), (given[1], low), (size_name, n)]
        r.shuffle(order)
        lines = [f"def {function}({self.wc}, {', '.join(name for name, _ in order)}):"]
        if self.comments and r.random() < 0.5:
            lines.append(f'\t""" {function.replace("_", " ").capitalize()} """')
        lines += [f"\t{made} = []", f"\tfor {i} in range({size_name}):", f"\t\t{made}.append({self.wc}.add_joint({x}, {y}))"]
        lines += [f"\treturn {made}"]
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
        return self.text()
