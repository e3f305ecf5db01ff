//! Programs that are deep or long in every way that the grammar has: an operator makes a child or says why there is none,
//! on a thread with a stack of the usual size.

use mutate::Brief;
use mutate::gp::{Gp, GpError, Settings};
use mutate::node_replacement::{KIND, NodeReplacement, Primitives};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// The shapes, `n` parts each: chains that the parser reads in a loop, and what it recurses for.
fn shapes(n: usize) -> Vec<(&'static str, String)> {
    let expression = |start: &str, part: &str, end: &str| {
        format!("def f(x):\n    return {start}{}{end}\n", part.repeat(n))
    };
    let nested = |open: &str, close: &str| {
        format!(
            "def f(x):\n    return {}x{}\n",
            open.repeat(n),
            close.repeat(n)
        )
    };
    let blocks: String = (0..n)
        .map(|i| format!("{}if x:\n", " ".repeat(i)))
        .collect();
    vec![
        ("sum", expression("1", " + 1", "")),
        ("difference", expression("x", "-x", "")),
        ("product", expression("x", "*x//x@x", "")),
        ("bits", expression("x", " << 1 & x | x ^ x", "")),
        ("power", expression("x", "**x", "")),
        ("signs", expression("", "-", "x")),
        ("not", expression("", "not ", "x")),
        ("and", expression("x", " and x", "")),
        ("and, or", expression("x", " and x or x", "")),
        ("comparison", expression("x", " < x", "")),
        ("conditional", expression("", "x if x else ", "x")),
        ("lambda", expression("", "lambda y: ", "x")),
        ("await", format!("async {}", expression("", "await ", "x"))),
        ("attributes", expression("x", ".b", "")),
        ("calls", expression("x", "()", "")),
        ("calls with arguments", expression("x", "(1, a=x.b)", "")),
        ("subscripts", expression("x", "[0]", "")),
        ("slices", expression("x", "[0:x.b]", "")),
        ("methods", expression("x", ".b(1)[2]", "")),
        ("strings", expression("'a'", " 'b'", "")),
        ("added strings", expression("'a'", " + 'b'", "")),
        ("f-strings", expression("f'a'", " f'{x.b + 1:>{x}}'", "")),
        ("nested f-strings", nested("f'{", "}'")),
        ("elements", expression("[", "x.b + 1, ", "]")),
        ("pairs", expression("{", "x: x.b, ", "}")),
        ("parentheses", nested("(", ")")),
        ("lists", nested("[", "]")),
        ("tuples", nested("(", ",)")),
        ("dictionaries", nested("{1: ", "}")),
        ("nested calls", nested("f(", ")")),
        ("nested subscripts", nested("x[", "]")),
        ("comprehensions", nested("[y for y in ", "]")),
        ("chains in brackets", nested("(1 + 1 + 1 + ", " + 1 + 1).b")),
        ("walrus", nested("(y := ", ")")),
        ("star", expression("[", "*", "x]")),
        (
            "targets",
            format!("{}1\ndef f(x): return x\n", "x = ".repeat(n)),
        ),
        ("augmented", format!("x = 1\nx{} += 1\n", ".b".repeat(n))),
        ("annotation", format!("x: y{} = 1\n", ".b".repeat(n))),
        (
            "decorators",
            format!("{}def f(x): return 1\n", "@d.e\n".repeat(n)),
        ),
        (
            "a decorator",
            format!("@d{}\ndef f(x): return 1\n", ".e()".repeat(n)),
        ),
        (
            "elif",
            format!("if x: y = 1\n{}", "elif x.b: y = 2\n".repeat(n)),
        ),
        ("else if", blocks.clone() + &" ".repeat(n) + "y = 1\n"),
        ("blocks without an end", blocks),
        (
            "functions",
            (0..n)
                .map(|i| format!("{}def f():\n", " ".repeat(i)))
                .collect::<String>()
                + &" ".repeat(n)
                + "x = 1\n",
        ),
        (
            "match",
            format!("match x:\n    case a{}: y = 1\n", ".b".repeat(n)),
        ),
        (
            "patterns",
            format!(
                "match x:\n    case {}y{}: y = 1\n",
                "[".repeat(n),
                "]".repeat(n)
            ),
        ),
        (
            "alternatives",
            format!("match x:\n    case 1{}: y = 1\n", " | 2".repeat(n)),
        ),
        ("with", format!("with x{}: y = 1\n", ", x.b".repeat(n))),
        (
            "except",
            format!("try: x = 1\n{}", "except A.b: x = 2\n".repeat(n)),
        ),
        ("imports", format!("import a{}\nx = 1\n", ".b".repeat(n))),
        ("lines", "x = x + 1\n".repeat(n)),
        (
            "names that lead on",
            (0..n).map(|i| format!("x{} = x{i} + 1\n", i + 1)).collect(),
        ),
        (
            "names that lead back",
            (0..n).map(|i| format!("x{i} = [x{}]\n", i + 1)).collect(),
        ),
        (
            "functions that lead on",
            (0..n)
                .map(|i| format!("def f{}(): return f{i}()\n", i + 1))
                .collect(),
        ),
        ("no Python: open", format!("x = {}", "(".repeat(n))),
        ("no Python: closed", format!("x = 1{}", ")".repeat(n))),
        (
            "no Python: a chain",
            format!("x = x{} = = 1\n", " + x.b()".repeat(n)),
        ),
        ("no Python: quotes", format!("x = {}", "f'{".repeat(n))),
    ]
}

fn plain() -> NodeReplacement {
    let primitives: toml::Table = toml::from_str(KIND.settings).unwrap();
    let primitives: Primitives = primitives["paper-gp"].clone().try_into().unwrap();
    NodeReplacement::new(primitives)
}

/// A child by either operator; the shapes that gp took.
fn each(gp: &Gp, n: usize) -> Vec<&'static str> {
    let mut taken = Vec::new();
    for (name, program) in shapes(n) {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        match gp.mutate(&program, &mut rng) {
            Ok(child) => {
                assert_ne!(child, program, "{name}");
                taken.push(name);
            }
            Err(GpError::Barren | GpError::Exhausted { .. }) => taken.push(name),
            Err(GpError::Parent { .. }) => {}
            Err(e @ GpError::Setting { .. }) => panic!("{name}: {e}"),
        }
        let _ = plain().mutate(&program, &mut rng);
    }
    taken
}

/// What is long but not deep.
const LONG: [&str; 6] = [
    "elements",
    "pairs",
    "lines",
    "elif",
    "decorators",
    "strings",
];
/// What is as deep as it is long, and still runs.
const DEEP: [&str; 5] = [
    "sum",
    "attributes",
    "calls",
    "added strings",
    "names that lead on",
];

#[test]
fn every_kind_of_mutation_on_every_shape() {
    let gp = Gp::new(Settings::default(), &Brief::default()).unwrap();
    for n in [50, 400] {
        let taken = each(&gp, n);
        for name in LONG.iter().chain(&DEEP) {
            assert!(taken.contains(name), "{n}: {name}: {taken:?}");
        }
    }
}

/// One mutation of what asks for no kinds of values, which takes long here.
fn quick() -> Gp {
    let mut settings = Settings {
        typed: false,
        ..Settings::default()
    };
    (settings.rate, settings.statement_rate) = (0.0, 0.0);
    settings.weights = mutate::gp::Weights::none();
    (settings.weights.constant, settings.weights.operator) = (1.0, 1.0);
    (settings.weights.name, settings.weights.delete) = (1.0, 1.0);
    Gp::new(settings, &Brief::default()).unwrap()
}

#[test]
fn as_deep_as_is_taken_and_deeper() {
    let taken = each(&quick(), 9_990);
    for name in LONG.iter().chain(&["sum", "attributes", "calls"]) {
        assert!(taken.contains(name), "{name}: {taken:?}");
    }
    let taken = each(&quick(), 20_000);
    for name in LONG {
        assert!(taken.contains(&name), "{name}: {taken:?}");
    }
    for name in ["sum", "attributes", "calls"] {
        assert!(!taken.contains(&name), "{name}: {taken:?}");
    }
    let sum = format!("x = 1{}\n", " + 1".repeat(1_000_000));
    let error = quick()
        .mutate(&sum, &mut ChaCha8Rng::seed_from_u64(1))
        .unwrap_err();
    assert!(
        error.to_string().contains("more than 10000 deep"),
        "{error}"
    );
}

/// Kinds of values are asked for along a chain of names as well.
#[test]
fn kinds_of_names_that_lead_far() {
    let gp = Gp::new(Settings::default(), &Brief::default()).unwrap();
    let far = |name| {
        shapes(3_000)
            .into_iter()
            .find(|(known, _)| *known == name)
            .unwrap()
            .1
    };
    for name in [
        "names that lead on",
        "names that lead back",
        "functions that lead on",
    ] {
        gp.mutate(&far(name), &mut ChaCha8Rng::seed_from_u64(1))
            .unwrap();
    }
}
