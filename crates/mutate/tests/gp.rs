//! The genetic operator on the seeds and on all of Python's syntax: every child parses, differs
//! and is a function of its parent and its random stream; each kind of mutation does its own.

use std::collections::BTreeSet;

use mutate::Brief;
use mutate::gp::{Gp, GpError, Kind, Settings, Weights};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use ruff_python_ast::comparable::ComparableStmt;
use ruff_python_parser::parse_module;

const SEEDS: [&str; 4] = [
    include_str!("../../../seeds/square.py"),
    include_str!("../../../seeds/radial.py"),
    include_str!("../../../seeds/cppn-fixed.py"),
    include_str!("../../../seeds/cppn-mutable.py"),
];

/// Programs that between them hold what the grammar has.
const SOURCES: [&str; 16] = [
    "x = 1",
    "if x: y = 1; z = 2\nelif w: pass\nelse: y = 3\n",
    "a = 1; b = 2; c = a + b;\n",
    "def f():\n\tx = 1\n\tif x:\n\t\ty = 2\n\t\treturn x\n\treturn 3\n",
    "total = 1 + \\\n    2 + \\\n    3\nif total: \\\n    print(total)\n",
    "@dec(1)\nclass A(Base, key=3):\n    \"\"\"Doc.\"\"\"\n    n: int = 4\n\n    @property\n    def p(self):\n        return self.n * 2\n\n    @staticmethod\n    def q(a, /, b=2, *c, d, e=5, **f):\n        return a if b else (yield)\n",
    "f = lambda x, y=1, *z: (x + y) * 2\ng = [i * j for i in range(3) if i % 2 for j in range(i)]\nh = {k: v for k, v in zip(g, g)}\ns = sum(q for q in g)\nt = {*g, 1}\nu = {**h, 'a': 1}\n",
    "n = 3\nprint(f\"{n!r:>{n}} {n + 1} {'a' if n else 'b'}\")\nm = f'{n=}' \"x\" '''y\n  z'''\n",
    "async def f(a):\n    async with a as b, a as c:\n        await b(1)\n    async for i in a:\n        yield i\n    return\n",
    "def f(p):\n    match p:\n        case 0 | 1 if p > 0:\n            return 1\n        case [a, *rest]:\n            return a + 2\n        case {'k': v, **kw}:\n            return v\n        case Point(x=0, y=yy):\n            return yy\n        case _:\n            pass\n",
    "while (n := f(1)) > 2:\n    if n == 3: continue\n    if n < 5: break\nelse:\n    n -= 1\n",
    "try:\n    import os.path as p, sys\n    x = 1 / 0\nexcept (ValueError, ZeroDivisionError) as e:\n    raise RuntimeError('no') from e\nexcept Exception:\n    x = 2\nelse:\n    x = 3\nfinally:\n    del x\n",
    "größe = 3\nπ = 3.14\nname = 'ü' * größe  # ünïcode\nprint(größe * π, name[1:größe], name[-1])\n",
    "def outer():\n    k = 0\n    def inner(a, b=1):\n        nonlocal k\n        global G\n        k += a\n        G = b\n        return not k or a and b\n    return inner(1, b=2)\n",
    "x = (1 +  # one\n     2)\ny = f(a,\n      b,  # bee\n      c=3,\n      )\nz = [\n    1,\n    2,\n]\nw = 2 ** -x ** 2\nv = 1if x else 2\nq = not x in z is not None\n",
    "x = 1\r\nif x:\r\n    y = 2\r\n    z = 3 << 1 & 7 | 8 ^ ~x\r\n",
];

fn rng(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

/// What the seeds' host offers.
fn brief() -> Brief {
    let signatures = [
        "add_joint(x, y)",
        "add_muscle(j0, j1, rigid=True, amplitude=0.0, phase=0.0)",
        "query_cppn(wc, xgrid: int, ygrid: int, scale, connect, amp, phase)",
    ];
    Brief {
        signatures: signatures.map(str::to_owned).into(),
        ..Brief::default()
    }
}

fn gp(change: impl FnOnce(&mut Settings)) -> Gp {
    let mut settings = Settings::default();
    change(&mut settings);
    Gp::new(settings, &brief()).unwrap()
}

/// An operator of one kind, one mutation a child.
fn only(change: impl FnOnce(&mut Weights)) -> Gp {
    gp(|s| {
        s.rate = 0.0;
        s.statement_rate = 0.0;
        s.copy_rate = 0.0;
        s.weights = Weights::none();
        change(&mut s.weights);
    })
}

/// All children of `source` over so many random streams.
fn children(gp: &Gp, source: &str, n: u64) -> BTreeSet<String> {
    let child = |seed| gp.mutate(source, &mut rng(seed)).unwrap();
    (0..n).map(child).collect()
}

fn same_tree(a: &str, b: &str) -> bool {
    let (a, b) = (parse_module(a).unwrap(), parse_module(b).unwrap());
    let comparable = |(a, b)| ComparableStmt::from(a) == ComparableStmt::from(b);
    a.suite().len() == b.suite().len() && a.suite().iter().zip(b.suite()).all(comparable)
}

#[test]
fn every_child_parses_and_differs() {
    let settings = [
        gp(|_| {}),
        gp(|s| (s.rate, s.statement_rate) = (0.2, 0.3)),
        gp(|s| s.typed = false),
        gp(|s| s.weights.terminal = 5.0),
    ];
    let (mut drawn, mut unparsable) = (0, 0);
    for (i, gp) in settings.iter().enumerate() {
        for source in SEEDS.iter().chain(&SOURCES) {
            for seed in 0..150 {
                let child = gp.mutate_traced(source, &mut rng(seed)).unwrap();
                assert!(!same_tree(source, &child.source), "{i} {seed}:\n{source}");
                assert!(!child.kinds.is_empty());
                drawn += 1;
                unparsable += child.unparsable;
            }
        }
    }
    // The second setting mutates a fifth of all nodes at once; even so hardly any draw is lost.
    assert!(unparsable * 500 < drawn, "{unparsable} of {drawn}");
}

#[test]
fn on_the_seeds_a_draw_that_does_not_parse_is_rare() {
    let gp = gp(|_| {});
    let mut unparsable = 0;
    for source in SEEDS {
        for seed in 0..1000 {
            let child = gp.mutate_traced(source, &mut rng(seed)).unwrap();
            unparsable += child.unparsable;
        }
    }
    assert!(unparsable <= 4, "{unparsable} of 4000");
}

#[test]
fn long_lines_of_descent_stay_sound_and_small() {
    let gp = gp(|s| s.max_source = 2000);
    for (i, source) in SEEDS.iter().enumerate() {
        let mut program = (*source).to_owned();
        let mut rng = rng(i as u64);
        for _ in 0..300 {
            program = match gp.mutate(&program, &mut rng) {
                Ok(child) => child,
                Err(GpError::Barren) => (*source).to_owned(), // all but `pass` deleted
                Err(e) => panic!("{e}\n{program}"),
            };
            assert!(program.len() <= 2000, "{program}");
        }
    }
}

#[test]
fn a_child_is_a_function_of_parent_and_stream() {
    let gp = gp(|_| {});
    for source in SEEDS {
        assert_eq!(
            gp.mutate(source, &mut rng(5)).unwrap(),
            gp.mutate(source, &mut rng(5)).unwrap()
        );
        assert!(children(&gp, source, 50).len() > 25);
        let one_by_one = (0..50).map(|seed| gp.mutate_traced(source, &mut rng(seed)));
        let mut brood = Vec::new();
        let streams = (0..50).map(|seed| (seed as usize, rng(seed)));
        gp.brood(source, streams, |number, child| {
            assert_eq!(number, brood.len());
            brood.push(child);
        })
        .unwrap();
        assert_eq!(brood, one_by_one.collect::<Vec<_>>());
    }
}

#[test]
fn imports_and_docstrings_stay() {
    let gp = gp(|s| (s.rate, s.statement_rate) = (0.1, 0.2));
    for child in children(&gp, SEEDS[0], 200) {
        assert!(child.starts_with("from walk_creator import walker_creator\n"));
        let docstring = child.contains("\n    \"\"\" Add the four corners");
        assert_eq!(docstring, child.contains("def make_square("), "{child}");
    }
}

#[test]
fn comments_and_layout_elsewhere_stay() {
    let gp = only(|w| w.constant = 1.0);
    for child in children(&gp, SEEDS[0], 50) {
        assert_eq!(child.lines().count(), SEEDS[0].lines().count());
        assert!(child.contains("    # stiff sides\n"));
    }
}

#[test]
fn errors_say_what_is_wrong() {
    let gp = gp(|_| {});
    let error = |source| gp.mutate(source, &mut rng(1)).unwrap_err();
    assert!(matches!(error("x = (1"), GpError::Parent { .. }));
    assert!(error("x = = 1").to_string().contains("byte 4"));
    assert_eq!(error(""), GpError::Barren);
    assert_eq!(error("import os\n"), GpError::Barren);
    let swap = only(|w| w.swap = 1.0);
    let error = swap.mutate("x = 1\n", &mut rng(1)).unwrap_err();
    assert_eq!(error, GpError::Exhausted { tries: 100 });
    let bad = Brief {
        signatures: vec!["f(".into()],
        ..Brief::default()
    };
    assert!(
        Gp::new(Settings::default(), &bad)
            .unwrap_err()
            .to_string()
            .contains("\"f(\"")
    );
}

#[test]
fn constants() {
    let gp = only(|w| w.constant = 1.0);
    let found = children(&gp, "x = f(5, True)\n", 300);
    assert!(found.contains("x = f(5, False)\n"));
    assert!(found.contains("x = f(6, True)\n") && found.contains("x = f(-5, True)\n"));
    assert!(found.iter().any(|c| c.contains('.')));
    // What counts or indexes stays whole, what divides stays off 0.
    let source = "for i in range(3):\n    y = a[1] + i / 1\n";
    for child in children(&gp, source, 300) {
        let (range, rest) = child.split_once("):").unwrap();
        assert!(!range.contains('.'), "{child}");
        assert!(!rest[..rest.find(']').unwrap()].contains('.'), "{child}");
        assert!(!child.contains("/ 0\n") && !child.contains("/ 0.0\n"));
    }
    // A sign belongs to its number, and brackets come where they must.
    let found = children(&gp, "x = -2 ** 2\ny = -3\n", 300);
    assert!(found.contains("x = -2 ** 2\ny = 3\n"));
    assert!(found.iter().any(|c| c.starts_with("x = -(-")), "{found:?}");
}

#[test]
fn names_keep_kind_and_scope() {
    let gp = only(|w| w.name = 1.0);
    let source = "n = 3\nm = 4\ns = 'a'\ndef f(k):\n    late = n\n    j = 2\n    return late\n";
    let found = children(&gp, source, 200);
    assert!(found.iter().any(|c| c.contains("late = m\n")));
    assert!(found.iter().any(|c| c.contains("return j\n")));
    assert!(
        found
            .iter()
            .all(|c| !c.contains("= s\n") && !c.contains("late = j"))
    );
    // Functions by others that take the call, methods of a module by their like.
    let source = "import math\ndef f(a, b): return a\ndef g(a, b=1): return a\ndef h(a): return a\nx = f(1, 2)\ny = math.cos(1)\n";
    let found = children(&gp, source, 200);
    assert!(found.iter().any(|c| c.contains("x = g(1, 2)")));
    assert!(found.iter().any(|c| c.contains("math.sin(1)")));
    assert!(found.iter().all(|c| !c.contains("x = h(")));
}

#[test]
fn operators_keep_the_tree() {
    let gp = only(|w| w.operator = 1.0);
    let found = children(&gp, "x = a + b * c\n", 200);
    assert!(found.contains("x = a + (b - c)\n"), "{found:?}");
    assert!(found.contains("x = a * (b * c)\n") && found.contains("x = a - b * c\n"));
    let found = children(&gp, "x = a < b and c or d\n", 200);
    for child in ["(a < b and c) and d", "(a < b or c) or d"] {
        assert!(found.contains(&format!("x = {child}\n")), "{found:?}");
    }
    assert!(found.contains("x = a >= b and c or d\n"));
    assert_eq!(
        children(&gp, "x = a not in b\n", 20),
        ["x = a in b\n".to_owned()].into()
    );
    assert!(children(&gp, "x += 2\n", 50).contains("x *= 2\n"));
    assert!(children(&gp, "x = 1 if a else 2\n", 9).contains("x = 2 if a else 1\n"));
    // A power only by a small literal, no fraction as an index.
    for child in children(&gp, "x = a[i + j]\n", 200) {
        assert!(!child.contains("**") && !child.contains(" / "), "{child}");
    }
}

#[test]
fn arguments_follow_signatures() {
    let gp = only(|w| w.argument = 1.0);
    let found = children(&gp, "wc.add_muscle(a, b, False)\n", 200);
    assert!(found.contains("wc.add_muscle(a, b)\n"));
    assert!(found.iter().any(|c| c.contains("phase=")));
    let found = children(&gp, "def f(a, b=1): pass\nf(2, 3)\nf(4)\n", 200);
    assert!(found.contains("def f(a, b=1): pass\nf(3, 2)\nf(4)\n"));
    assert!(found.contains("def f(a, b=1): pass\nf(2)\nf(4)\n"));
    assert!(found.iter().any(|c| c.contains("f(4, ")));
    let found = children(&gp, "x = [\n    1,\n    2,\n]\n", 100);
    assert!(found.contains("x = [\n    2,\n    1,\n]\n") && found.contains("x = [\n    2,\n]\n"));
    assert!(found.iter().any(|c| c.lines().count() == 5));
    // Nothing is known of g, and its arguments are of different kinds.
    assert!(gp.mutate("g(1, 'a')\n", &mut rng(1)).is_err());
}

#[test]
fn expressions_shrink_wrap_and_travel() {
    let shrink = only(|w| w.shrink = 1.0);
    let found = children(&shrink, "x = (a - 1) * 2\n", 100);
    // A name of which nothing is known is no number.
    let expected = ["(1) * 2", "1", "2", "a - 1"].map(|value| format!("x = {value}\n"));
    assert_eq!(found, expected.into());
    let wrap = only(|w| w.wrap = 1.0);
    let found = children(&wrap, "x = y[3] * 1\n", 200);
    for operator in ["+", "-", "*"] {
        let index = format!("[3 {operator} ");
        assert!(found.iter().any(|c| c.contains(&index)), "{found:?}");
    }
    assert!(found.iter().any(|c| c.contains("* (1 + ")), "{found:?}");
    assert!(found.iter().all(|c| !c.contains("[3 + 0.5]")));
    let graft = only(|w| w.graft = 1.0);
    let source = "def f(a):\n    b = a * 2\n    return b + 1\nx = 7\n";
    let found = children(&graft, source, 400);
    assert!(
        found.iter().any(|c| c.contains("return a * 2 + 1\n")),
        "{found:?}"
    );
    // What a function sees only inside itself stays inside.
    assert!(
        found
            .iter()
            .all(|c| !c.contains("x = a") && !c.contains("x = b"))
    );
}

#[test]
fn statements_are_repeated_deleted_swapped_and_moved() {
    let source = "def f():\n    wc.a(1)\n    if x:\n        wc.b(2)\n    return 1\n";
    let found = children(&only(|w| w.duplicate = 1.0), source, 200);
    assert!(
        found
            .iter()
            .any(|c| c.contains("        wc.b(2)\n        wc.b("))
    );
    assert!(
        found.iter().all(|c| !c.contains("wc.a(1)\n    wc.a(1)\n")),
        "copies change"
    );
    let found = children(&only(|w| w.delete = 1.0), source, 200);
    assert!(found.contains("def f():\n    wc.a(1)\n    if x:\n        pass\n    return 1\n"));
    assert!(found.contains("def f():\n    if x:\n        wc.b(2)\n    return 1\n"));
    let found = children(&only(|w| w.swap = 1.0), source, 50);
    assert!(
        found.contains("def f():\n    if x:\n        wc.b(2)\n    wc.a(1)\n    return 1\n"),
        "{found:?}"
    );
    let found = children(&only(|w| w.transplant = 1.0), source, 300);
    let inside = "def f():\n    if x:\n        wc.a(1)\n        wc.b(2)\n    return 1\n";
    assert!(found.contains(inside), "{found:?}");
    // On one line as well.
    let found = children(&only(|w| w.duplicate = 1.0), "if x: f(1); g(2)\n", 50);
    assert!(
        found.iter().any(|c| c.starts_with("if x: f(1); f(")),
        "{found:?}"
    );
    let found = children(&only(|w| w.delete = 1.0), "if x: f(1)\n", 50);
    assert!(found.contains("if x: pass\n"));
}

#[test]
fn the_last_statement_of_a_block_moves_out_of_it() {
    let gp = only(|w| w.transplant = 1.0);
    let found = children(&gp, "f(1)\nif x:\n    g(2)\n    h(3)\n", 200);
    assert!(found.contains("f(1)\nh(3)\nif x:\n    g(2)\n"), "{found:?}");
}

#[test]
fn copies_bind_fresh_names() {
    let gp = only(|w| w.duplicate = 1.0);
    let source = "hub = joint(1, 2)\nmuscle(hub, 3)\n";
    let found = children(&gp, source, 300);
    let both = |c: &String| c.contains("hub2 = joint(") && c.contains("muscle(hub2, ");
    assert!(found.iter().any(both), "{found:?}");
}

/// What the lines of a child bind, in order.
fn bound(child: &str) -> Vec<&str> {
    let names = child.lines().filter_map(|line| line.split_once(" = "));
    names.map(|(name, _)| name).collect()
}

#[test]
fn two_variables_of_a_copy_have_two_names() {
    let gp = only(|w| w.duplicate = 1.0);
    let found = children(&gp, "j1 = f(1)\nj2 = f(2)\ng(j1, j2)\n", 1000);
    let whole = |c: &&String| bound(c).len() == 4 && c.matches("g(").count() == 2;
    let copies: Vec<_> = found.iter().filter(whole).collect();
    assert!(
        copies
            .iter()
            .any(|c| c.contains("j3 = f(") && c.contains("j4 = f(")),
        "{copies:?}"
    );
    for child in copies.iter().filter(|c| c.contains("j3")) {
        assert_eq!(bound(child), ["j1", "j2", "j3", "j4"], "{child}");
        assert!(
            !child.contains("g(j3, j3)") && !child.contains("g(j4, j4)"),
            "{child}"
        );
    }
    // One that is bound twice is one variable.
    let found = children(&gp, "j = f(1)\nj = g(j, 2)\n", 1000);
    let copies = found
        .iter()
        .filter(|c| bound(c).len() == 4 && c.contains("j2"));
    let copies: Vec<_> = copies.collect();
    assert!(!copies.is_empty());
    for child in copies {
        assert_eq!(bound(child), ["j", "j", "j2", "j2"], "{child}");
    }
}

#[test]
fn two_copies_in_a_child_have_two_names() {
    let gp = gp(|s| {
        (s.rate, s.statement_rate, s.copy_rate) = (0.0, 0.9, 0.0);
        s.weights = Weights::none();
        s.weights.duplicate = 1.0;
    });
    let found = children(&gp, "j1 = f(1)\nj2 = f(2)\n", 2000);
    let mut both = 0;
    for child in &found {
        let mut fresh = bound(child);
        fresh.retain(|name| !["j1", "j2"].contains(name));
        let copies = fresh.len();
        fresh.sort_unstable();
        fresh.dedup();
        assert_eq!(fresh.len(), copies, "{child}");
        both += usize::from(copies > 1);
    }
    assert!(both > 0, "{found:?}");
}

#[test]
fn plain_node_replacement_can_mend_what_it_is_given() {
    // The task of the paper's comparison: the right program is one replacement away.
    let settings = Settings::node_replacement(0.05, (1..=4).map(|i| format!("c{i}")).collect());
    let gp = Gp::new(settings, &brief()).unwrap();
    let buggy =
        "def parity(b1, b2, b3, b4):\n    bits = sum([c1, b2, b3, b4])\n    return bits % 2\n";
    let mended = buggy.replace("c1", "b1");
    let found = children(&gp, buggy, 4000);
    assert!(found.contains(&mended));
    assert!(
        found.iter().any(|c| c.contains("c3")),
        "extra names are terminals"
    );
    for child in &found {
        assert_eq!(child.lines().count(), 3);
        assert!(child.contains("sum(["), "{child}");
    }
    for seed in 0..200 {
        let child = gp.mutate_traced(buggy, &mut rng(seed)).unwrap();
        let plain = |k: &Kind| matches!(k, Kind::Terminal | Kind::Operator);
        assert!(child.kinds.iter().all(plain));
    }
}

#[test]
fn a_full_program_does_not_grow_by_whole_parts() {
    let gp = gp(|s| (s.max_source, s.statement_rate) = (64, 0.5));
    for seed in 0..300 {
        let child = gp.mutate_traced(SEEDS[0], &mut rng(seed)).unwrap();
        let grows = |k: &Kind| {
            matches!(
                k,
                Kind::Duplicate | Kind::Transplant | Kind::Graft | Kind::Wrap | Kind::Swap
            )
        };
        assert!(!child.kinds.iter().any(grows), "{:?}", child.kinds);
    }
}

#[test]
fn a_name_bound_nowhere_becomes_one_that_is() {
    let gp = only(|w| w.name = 1.0);
    let source = "def g():\n    return 1\n\ndef f(a, b):\n    n = [a]\n    return a + c\n";
    let children = children(&gp, source, 300);
    for name in ["a", "b", "n"] {
        let mended = source.replace("+ c", &format!("+ {name}"));
        assert!(children.contains(&mended), "{name}: {children:?}");
    }
    assert!(!children.contains(&source.replace("+ c", "+ g")));
}
