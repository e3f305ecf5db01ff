//! The awkward cases: what is valid, and at which byte the rest dies.

use std::sync::Arc;

use edit::python::{Names, Prefix};

/// How many bytes are admitted; all of them, and whether the file may end there.
fn admitted(source: &str) -> (usize, bool) {
    let mut prefix = Prefix::new();
    let taken = source.bytes().take_while(|b| prefix.push(*b)).count();
    (taken, prefix.is_complete())
}

fn valid(sources: &[&str]) {
    let refused = |s: &&&str| admitted(s) != (s.len(), true);
    let refused: Vec<_> = sources
        .iter()
        .filter(refused)
        .map(|s| (s, &s[..admitted(s).0]))
        .collect();
    assert!(refused.is_empty(), "{refused:#?}");
}

/// Each dies at the byte after `⟂`.
fn dies(sources: &[&str]) {
    let wrong: Vec<_> = sources
        .iter()
        .filter_map(|marked| {
            let (before, after) = marked.split_once('⟂').expect("a mark");
            let source = format!("{before}{after}");
            let (taken, complete) = admitted(&source);
            (taken != before.len() || complete)
                .then(|| (marked, source.get(..taken).map(str::to_owned)))
        })
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Each is a viable prefix but no file.
fn open(sources: &[&str]) {
    for source in sources {
        assert_eq!(admitted(source), (source.len(), false), "{source:?}");
    }
}

#[test]
#[rustfmt::skip]
fn targets() {
    valid(&[
        "x = y = 1", "x.a[0] = 1", "f(x).y = 1", "(a, b), [c, *d] = x", "a, *b = x", "*a, = x", "() = x", "[] = x", "(x) = 1",
        "(x): int = 1", "x.y: int", "x += 1", "(x) += 1", "x[1:2, ::3] = y", "del x, (y, [z.a])", "for x.y in z: pass",
        "for (x + 1).y in z: pass", "for f(x)[0], *b in c: pass", "with a as (b, c), d as e.f: pass", "x = yield_ = 1",
        "[x for x, in y]", "x = *a, b", "for x in *a, b: pass",
    ]);
    dies(&[
        "f(x) =⟂ 1", "x + 1 =⟂ 2", "1 =⟂ 2", "None =⟂ 1", "True⟂: int", "x, y +⟂= 1", "x, y⟂: int", "(x, y)⟂: int", "-x =⟂ 1",
        "x = f() =⟂ 1", "x += y =⟂ 1", "x: int = y =⟂ 1", "*a, *b ⟂= c", "*a⟂\n", "x = *a⟂\n", "'s' =⟂ 1", "x if y else z =⟂ 1",
        "lambda: x =⟂ 1", "__debug__ =⟂ 1", "{x} =⟂ 1", "(x for x in y) =⟂ 1", "del f(x)⟂\n", "del ⟂*x", "del x ⟂+ 1", "for f(x) ⟂in y",
        "for x ⟂+ 1", "for *a, ⟂*b in", "with x as f()⟂:", "with x as 1⟂:", "a < b =⟂ c", "await_ .x() +⟂= 1", "x == y⟂: int",
        "del (a, *b)⟂\n", "[a, 1] =⟂ 2", "(a, *b, *c) =⟂ 2",
    ]);
}

#[test]
#[rustfmt::skip]
fn expressions() {
    valid(&[
        "not x", "a and not b", "x is not y", "x not in y", "-~+x ** -y", "a if b else c if d else e", "lambda: lambda x, *y, z=1, **k: 0",
        "(yield_)", "(x := 1)", "f(x := 1, y)", "x[a := 1]", "[x for x in y if (z := x)]", "[x for x in (lambda: (y := 1))()]", "[y := 1, y]", "{1: 2, **x}", "{*a, b}", "{x: y for x, y in z if x if y}",
        "f(a, *b, c=1, *d, **e, g=2)", "f(x for x in y)", "f(x for x in y)(z)",
        "a = b if c else lambda: d", "x = a,", "'a' \"b\" f'c'", "b'a' rb'b'", "x[*a, b:c]", "x[:]", "x[::]", "...", "x = ....__class__", "1 .real",
        "1..real", "0x_fF", "0b1 + 0o17", "00", "09.5", "1_000.5e-1_0j", "1if x else y", "1or 2", "x = yield_", "print(*a or b)",
        "f(**a, b=1)", "x = (\n  1 # one\n,\n)", "x = 1 + \\\n  2", "match = 1", "match(x)", "match[x]: int", "match -x", "match, y = z", "case = 1",
        "print(match.group())",
    ]);
    dies(&[
        "a == not⟂ b", "- not⟂ b", "a + lambda⟂: 0", "x i⟂z", "x ⟂y", "(x := 1) ⟂:= 2", "x :⟂= 1", "(x.y ⟂:= 1)", "f(a=1, b⟂)", "f(a=1, b⟂.c)", "f(**a, *⟂b)",
        "f(a.b=⟂1)", "f(x for x in y⟂,", "f(a, x ⟂for x in y)", "f(True=⟂1)", "f((a)=⟂1)", "[*a ⟂for", "{**a ⟂for", "{1: 2, 3⟂}", "{1, 2⟂:", "x[⟂]", "x[a := 1⟂:]", "{a := 1⟂: 2}", "[x for x in (y ⟂:= z)]", "(*a⟂)",
        "x.⟂.y", "012⟂\n", "1_⟂_0", "1_⟂\n", "0x⟂g", "1e⟂\n", "1.⟂real", "'a' ⟂b'", "'a' 'b' f⟂o", "x = ⟂)", "(⟂]",
        "x !⟂ ", "a is not not⟂ b", "x if y⟂\n", "x not ⟂y", "await⟂ x", "yield⟂ x", "x\n  ⟂y", "x = ⟂$", "x not ⟂# comment",
        "00⟂x0", "[x for x in a if b ⟂else c]", "[x for x in lambda⟂: 0]", "x = 1 \\⟂ ", "\\⟂x",
    ]);
    open(&["x =", "f(", "x = 'a", "x.", "x if y", "x if y else", "1e", "0x", "x not", "lambda x", "x \\", "x = 1 \\\n", "[", "'''a'", "x ="]);
}

#[test]
#[rustfmt::skip]
fn strings() {
    valid(&[
        "''", "''''''", "'''a''b'''", "r'\\''", "'\\x41\\u1234\\U0010ffff\\N{DASH}'", "b'\\u'", "r'\\x'", "u'a'", "Rb'a'", "'a\\\nb'", "'é'",
        "f'{x}'", "f'{{}}'", "f'{x!r:>{w}}'", "f'{x = }'", "f'{x:=5}'", "f'{a != b}'", "f'{(lambda: 1)()}'", "f'{d[\"k\"]:{a}{b}}'", "f'{f\"{x}\"}'",
        "f'''{\nx}'''", "f'{x,}'", "f'{ {1: 2}[1] }'", "f'\\N{DASH}{x}'", "rf'\\{x}'", "f'{x:%H:%M}'", "f'{*a,}'", "f'{a if b else c!s}'",
    ]);
    dies(&[
        "'a⟂\n", "'\\x4⟂g'", "b'⟂é'", "'\\U001⟂1", "'\\N⟂x", "bf⟂'x'", "f'{⟂}'", "f'}⟂'", "f'{x ⟂y}'", "f'{a⟂\\n}'", "f'{⟂#}'", "f'{d[⟂'k']}'", "f'{lambda⟂ x: 1}'",
        "f'{x!⟂z}'", "f'{x!r⟂ }'", "f'{x:{y:⟂{z}}}'", "f'{x⟂)}'", "f'{(x⟂}'", "f'{*a⟂}'", "f'''{''⟂'a",
    ]);
}

#[test]
#[rustfmt::skip]
fn statements() {
    valid(&[
        "", "\n\n  \n# c", "if x: pass\nelif y: pass\nelse: pass", "while x:\n  break\nelse:\n  pass", "for x in y:\n\tcontinue",
        "try: pass\nexcept: pass", "try:\n pass\nexcept A as e:\n pass\nexcept (B, C): pass\nelse: pass\nfinally: pass", "try: pass\nexcept* A: pass",
        "with a: pass", "with (a, b): pass", "with (a as b, c as d,): pass", "with (a).b as c, d: pass", "with (yield_): pass",
        "def f(a, b: int = 1, /, c=2, *args: int, d, e=1, **k: int) -> int: return", "def f(*, a): pass", "def f(**k,): pass",
        "async def f():\n  await x\n  async for a in b: pass\n  async with c as d: pass\n  return [x async for x in y]",
        "class A(B, metaclass=C):\n  x: int\n  def f(self): yield", "@a.b(c)\n@d\ndef f(): pass", "@a\nclass B: pass", "import a.b as c, d",
        "from . import a", "from ...a.b import (c as d, e,)", "from a import *", "global x", "def f():\n  nonlocal_ = 1; del x; return", "x = 1; y = 2;",
        "assert x, y", "raise", "raise x from y", "def f(): x = yield; y = yield from z; return (yield), 1", "if x:\n\n  # c\n# d\n  y",
        "match x:\n  case 1 | -2 | 'a' 'b' | None: pass\n  case [a, *_, b] | (a, b) if a: pass\n  case {'k': v, A.b: c, **r}: pass\n  case A.B(x, y=1): pass\n  case a, *b: pass\n  case (1 + 2j) as z: pass\n  case _: pass",
        "match x, y:\n  case []: pass", "match (x):\n  case (): pass", "match ...:\n  case a.b: pass", "if x:\n  y\nz", "def f(*args: *T): pass", "f: (lambda: 0) = 1",
        "while x:\n  try: pass\n  finally:\n    continue", "try: pass\nexcept* A:\n  for x in y: break",
    ]);
    dies(&[
        "return⟂\n", "break⟂\n", "pass ⟂x", "if x⟂\n", "if x:\n⟂y", "if x:\n  y\n ⟂z", "if x:\n  y\n   ⟂z", "else⟂:", "if x: pass\nexcept⟂:", "try: pass\n⟂x", "try: pass\n⟂y",
        "try: pass\nexcept: pass\nexcept⟂", "try: pass\nexcept* A: pass\nexcept ⟂B", "try: pass\nexcept A: pass\nexcept ⟂*", "def f(a=1, b⟂)", "def f(*⟂)", "def f(*, ⟂**k)",
        "def f(a, /, b, ⟂/", "def f(⟂/", "def f(**k, ⟂a", "def f(*a, *⟂b", "def ⟂1", "class for⟂:", "@a\n⟂x", "import ⟂*", "def f(x):\n from a import ⟂*", "from ⟂1",
        "def f():\n  from a import ⟂*", "class A(x ⟂for x in y)", "async ⟂for", "async de⟂l", "x = 1 ;⟂;", "lambda x=1, y⟂:", "def f():\n  class A:\n    return⟂ ", "for x in y: if⟂ ",
        "match x: ⟂pass", "match x:\n  ⟂pass", "match x:\n  case 1⟂\n", "match x:\n  case f⟂'", "match x:\n  case *a⟂:", "match x:\n  case {a⟂:", "match x:\n  case A(x=1, y⟂)",
        "try: pass\nexcept* A:\n  break⟂ ", "nonlocal⟂ x", "with a as b ⟂as c", "with (a as b) ⟂as c", "assert x, y⟂,", "raise x⟂, y", "if x =⟂ 1", "while True:\n  def f(): break⟂ ",
        "if x:\n\ty\n        ⟂z",
    ]);
    open(&["if x", "if x:", "if x:\n", "try: pass\n", "@a\n", "match x:\n", "match x:\n  case 1:\n", "def f", "class A:\n  def f(self):\n", "x = [1,\n"]);
}

#[test]
fn names_are_held_to_those_known() {
    let names = Arc::new(Names::of(
        "import math\nstep, width = 1, 2\ndef walk(step, width): return math.sin(step)\n",
        "class creator:\n    def add_joint(self, x, y): ...\nwc = creator()\nwc.add_joint(1, 2)\nimport numpy\n",
    ));
    let taken = |source: &str| {
        let mut prefix = Prefix::with_names(names.clone());
        source.bytes().take_while(|b| prefix.push(*b)).count()
    };
    for source in [
        "x = wc.add_joint(1, 2)\ny = x\n",
        "new = 1; x = new + 1\nx = x + new\nx = [1 for y in range(3) if y]\n",
        "for new, (a, b) in enumerate(step): abs(new + a * b)\n",
        "def f(a, b=width): return a + b\nf(1)\n",
        "import numpy as np\nnp.sin(1)\n",
        "a, b = 1, 2\na + b\n",
        "(a, b) = 1, 2\n",
        "new: int = 3\n",
        "with wc as file: file\n",
        "try: pass\nexcept width as e: e\n",
        "walk(step=1, width=2)\n",
        "f = lambda q: q * q\nsum(list(range(3)))\n",
        "if not None: pass\n",
        "x = True\n",
        "def f(a):\n    b = a\n    def g(c): return b + c\n    return g(b)\nx = f(1)\n",
        "class A:\n    def f(self, own):\n        return own\nA\n",
        "wc.add_joint(1, 2,)\nwc.add_joint(x=1, y=len(step))\nwc.add_joint(*step)\n",
        "range(3)\nrange(1, 2, 3)\nwalk(1, width=2)\nwc.add_joint(range(3), (1, 2))\n",
        "from math import sin\nsin(1)\n",
        "x = wc.add_joint (1, 2)\nx = creator\t()\n",
        "def f(a: int, *b: float, **c: tuple) -> list: return a\n",
        "own = max\t(1, 2)\nf = lambda x: x\nf(x=1)\n",
        "x = [1, 2]\ny = x[0]\nz = (y) + 1\nif (y): z = not (y)\n",
        "x = {1: 2}\ny = [None, {3}]\nz = x == None\nif z is not None: pass\nwalk(*{1}, **{})\n",
        "x = walk(1, 2)[0]\ny = walk(1, (2))(3)\n",
        "x = max(1, min(width, 2))\nx -= 1\nx = -x if x else not None\n",
        "x = 1.5 + 2 if (width == 1) else (3)\nwc.add_joint(width == 1, 2)\n",
    ] {
        assert_eq!(taken(source), source.len(), "{source:?}");
    }
    for marked in [
        "for own in ⟂own",
        "wc.add_joint(step ⟂for x in (1,)",
        "from self import x\nx = s⟂elf",
        "own = 1 + ⟂own",
        "own, (other, new) = 1, ⟂own",
        "def f(a): own = a\nabs(⟂own)",
        "def f(a):\n    b = a\nabs(b⟂)",
        "def f(a):\n    def g(own): return own\n    return ⟂own + 1",
        "x = a⟂dd_joint(1, 2)",
        "wc.add_joint(1⟂)",
        "wc.add_joint(1, 2, ⟂3)",
        "walk(1, 2, ⟂*step)",
        "walk(⟂)",
        "len(step, ⟂step)",
        "import ⟂os",
        "from ⟂os import path",
        "x = foo⟂",
        "x = wc.ad_⟂",
        "x = wc.⟂print",
        "x = math.⟂walk",
        "new⟂(1)",
        "new⟂.x = 1",
        "new⟂\n",
        "new ⟂+= 1",
        "x = wc.add_joint(stop⟂",
        "for new⟂.x in y",
        "if newish⟂",
        "walk(step⟂p=1)",
        "x = ⟂quit",
        "try: pass\nexcept ⟂OSError",
        "x = wc.add_joint⟂\n",
        "x = (wc.add_joint⟂)",
        "x = creator⟂.x",
        "x = wc.add_joint(1,⟂\n 2)",
        "wc.add_joint ⟂= 1",
        "del new⟂",
        "wc.add_joint(1, zip⟂)",
        "x = abs⟂.add_joint(1, 2)",
        "x = [int⟂, 1]",
        "walk(step, ⟂x=1)",
        "wc.add_joint(1, width=⟂2)",
        "wc.add_joint(s⟂elf=1)",
        "x = step⟂(1)",
        "x = wc⟂(1)",
        "x = wc.add_joint(1, 2)⟂[0]",
        "wc.add_joint(1, 2)⟂(3)",
        "x = 0.5⟂[1]",
        "x = 1⟂(2)",
        "x = 0.5⟂.add_joint(1, 2)",
        "x = None⟂[0]",
        "x = None⟂.x",
        "y = [1, 2]\nx = y[0]⟂[1]",
        "y = [1, 2]\nx = y[0]⟂(1)",
        "x = {}⟂+ 1",
        "x = {1: 2} ⟂* 3",
        "x = -⟂{}",
        "x = 1 + ⟂None",
        "x = None ⟂// 2",
        "x = (⟂)",
        "wc.add_joint(1, (⟂))",
        "x = ⟂dict(1)",
        "x = a⟂ny(step)",
        "x = min(⟂)",
    ] {
        let (before, after) = marked.split_once('⟂').unwrap();
        // the byte before the mark is the first refused where nothing follows the mark
        let source = format!("{before}{after}");
        assert!(taken(&source) < source.len(), "{marked:?}");
        if !after.is_empty() {
            assert_eq!(taken(&source), before.len(), "{marked:?}");
        }
    }
}

#[test]
fn a_program_may_use_what_it_uses() {
    for source in [
        "x = [a for a in range(3)]\n",
        "def f(): return g(later)\ndef g(x): return x\nlater = 1\n",
        "def f(a, b=1): return a\nf = max\nf(1, 2, 3)\nf()\n",
        "try:\n    unknown.thing(1)\nexcept NameError: pass\n",
        "for i in y: i += 1\nnew.x = 1\nnew(2)\nnew += 1\n",
        "def f(x):\n    while x:\n        if x > 2: x = z\n        z = x\n",
        "import a.b.c as d\nfrom .e import (f, g as h,)\nd.\\\n  i(f, j=h)\n",
        "f'{x!r:{y}} {z(1, k=2)}'\n",
        "def main():\n    run(\n        CONFIG  # note\n    )\ndef run(x): pass\nCONFIG = 1\n",
        "def f(): return g(later \\\n + 1)\ndef g(x): return x\nlater = 1\n",
        "foo .x = 1\n",
        "def f():\n    return (later\n        .foo())\nlater = f\n",
        "for x in x: pass\n",
        "def f(x, y): pass\nf(a for a in b)\n",
        "from . import a\nfrom .b import c\n",
        "x = quit, map(float, y), exit()\n",
        "from a import (\n    b,\n)\nb(1); from a import b\n",
        "match (x):\n    case (1): y = match(1)\n    case 2: pass\nx.len(); len\\\n(x)\n",
        "x = f(1,\n  2)\n",
        "x = [  # one\n  1]\ny = f'''{\n1}'''\n",
        "class A: pass\nclass B(A):\n    def f(self): return self.f\nB().f()\nA()\n",
        "@a\n@b(1)\ndef f(): a(f'{f()} {len(x)}')\n",
        "x = f(1)[2](3)[4]\ny = [1][0]; z = (f)(y)\n",
        "x = True[0]\n",
        "x = {} | {1: 2}\ny = -{1}\n",
        "x = None + 1\n",
        "x = 1 - None\ny = ()\n",
        "x = dict(a=1)\nany(x)\nint('a', 16)\nmin()\n",
        "x = 1 .real\ny = 0.5[1]\n",
        "def f(a): pass\nf(b=1, a=2)\nf(self=1)\n",
        "def f(a): pass\na = 1\nb = 2\nf(b=1)\n",
        "from a import b\nc = b\nc(1)\nd = int, max\nd[0](1)\n",
        "x = 1\nx.a\nx (2)\n",
        "x = None.a\n",
    ] {
        let mut prefix = Prefix::with_names(Arc::new(Names::of(source, "")));
        let taken = source.bytes().take_while(|b| prefix.push(*b)).count();
        assert_eq!(taken, source.len(), "{source:?}");
        assert!(prefix.is_complete(), "{source:?}");
    }
}

#[test]
fn open_brackets_are_closed() {
    for (source, closers) in [
        ("f(a, [1, {2", Some("}])")),
        ("x", Some("")),
        ("f(1, ", Some(")")),
        ("f(1 + ", None),
        ("f('a", None),
        ("[a for a in (b, c", Some(")]")),
        ("[a for", None),
        ("f(x[1:", Some("])")),
        ("{1: 2, 3", None),
        ("f''", Some("")),
        ("f'{(x", None),
        ("x = 'abc", None),
    ] {
        let mut prefix = Prefix::new();
        assert!(prefix.push_all(source.as_bytes()));
        let got = prefix.closers().map(|c| String::from_utf8(c).unwrap());
        assert_eq!(got.as_deref(), closers, "{source:?}");
    }
}

#[test]
fn a_parameter_is_named_once() {
    valid(&[
        "def f(a, b, a2, *c, d, **e): pass",
        "def f(a=lambda a: a, b=lambda a, b: (lambda b, a: a)): pass",
        "f = lambda x: 0, lambda x: lambda x: x",
        "def f(a):\n  def f(a): pass\n  return lambda a: a",
        "match (lambda a: a, lambda a: a):\n  case x: pass",
        "def f(a, /, *, b): return f(a=a, b=b)",
    ]);
    dies(&[
        "def f(a, a⟂): pass",
        "def f(a, b=lambda a: 0, a⟂=1): pass",
        "def f(a, *a⟂): pass",
        "def f(*b, c, **b⟂): pass",
        "lambda a, b, a⟂: 0",
        "x = lambda a: lambda b, c, b⟂: 0",
    ]);
}

#[test]
fn a_dead_prefix_stays_dead() {
    let mut prefix = Prefix::new();
    assert!(!prefix.push(b')'));
    assert!(!prefix.push(b'x'));
    assert!(!prefix.is_complete());
}

#[test]
fn no_bytes_panic() {
    for first in 0..=255u8 {
        for start in [
            "", "x", "'", "f'{", "x = ", "0", "\\", "if x:\n", "b'", "'''", ".",
        ] {
            for second in (0..=255u8).step_by(5) {
                let mut prefix = Prefix::new();
                prefix.push_all(start.as_bytes());
                prefix.push(first);
                prefix.push(second);
                prefix.is_complete();
            }
        }
    }
}
