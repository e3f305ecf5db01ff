//! The language of the programs, in both tiers.

mod common;

use std::time::Duration;

use common::*;
use pyrun::{Failure, Limits, Runner, Tier, Value};

const SEEDS: [&str; 4] = ["square", "radial", "cppn-fixed", "cppn-mutable"];

/// Runs a program in both tiers, which must agree.
fn both(source: &str) -> Value {
    let first = runner(Tier::Monty).run(source);
    let second = runner(Tier::CPython).run(source);
    assert_eq!(first, second, "{source}");
    first.unwrap_or_else(|e| panic!("{e}\n{source}"))
}

fn count(value: &Value, key: &str) -> usize {
    value
        .get(key)
        .and_then(Value::as_slice)
        .map_or(0, <[_]>::len)
}

#[test]
fn seeds_give_the_same_walker_in_both_tiers() {
    for (name, joints, muscles) in [
        ("square", 5, 8),
        ("radial", 9, 16),
        ("cppn-fixed", 24, 96),
        ("cppn-mutable", 24, 96),
    ] {
        let value = both(&seed(name));
        assert_eq!(
            (count(&value, "joints"), count(&value, "muscles")),
            (joints, muscles),
            "{name}"
        );
    }
}

/// What is shared in a result counts as often as it is there: just below the default limit of 4 MiB, and above.
#[test]
fn results_up_to_the_limit_come_out_whole() {
    let run = |tier, source: &str| {
        let cpu = Duration::from_secs(20);
        let limits = Limits {
            cpu,
            ..Limits::default()
        };
        limited(tier, limits).run(source)
    };
    let muscles =
        |n| format!("def make_walker():\n  return [[0, 1, {{'type': 'distance'}}]] * {n}");
    let numbers = |n| format!("def make_walker():\n  return [0.5] * {n}");
    for (source, n) in [(muscles(80_000), 80_000), (numbers(460_000), 460_000)] {
        let first = run(Tier::Monty, &source);
        assert_eq!(first, run(Tier::CPython, &source), "{source}");
        let items = first.as_ref().ok().and_then(Value::as_slice);
        assert_eq!(items.map(<[_]>::len), Some(n), "{source}");
    }
    for source in [muscles(90_000), numbers(480_000), muscles(1_000_000)] {
        for tier in [Tier::Monty, Tier::CPython] {
            let result = run(tier, &source);
            assert_eq!(result, Err(Failure::OutputTooLarge), "{tier:?}: {source}");
        }
    }
}

#[test]
fn seeds_run_without_their_imports() {
    let mut first = runner(Tier::Monty);
    for name in SEEDS {
        let source = seed(name);
        let bare: Vec<&str> = source.lines().filter(|l| !l.contains("import ")).collect();
        assert_eq!(first.run(&bare.join("\n")), first.run(&source), "{name}");
    }
}

#[test]
fn tabs_defaults_keywords_and_two_to_five_arguments() {
    let value = both(
        "import math\n\
         def make_sensor(wc, x=1.5, y=2, *, stiff=True):\n\
         \ta = wc.add_joint(x, y)\n\
         \tb = wc.add_joint(x + math.cos(0), y)\n\
         \twc.add_muscle(a, b)\n\
         \twc.add_muscle(a, b, stiff)\n\
         \twc.add_muscle(a, b, False, 0.5)\n\
         \twc.add_muscle(a, b, False, True, 1)\n\
         \twc.add_muscle(j0=a, j1=b, rigid=0, phase=0.25)\n\
         \treturn a\n\
         def walker_odd():\n\
         \twc = walker_creator()\n\
         \tn = 0\n\
         \tdef deeper(k):\n\
         \t\tnonlocal n\n\
         \t\tn += k\n\
         \t\treturn n\n\
         \tfor i in range(3):\n\
         \t\tfor j in range(2):\n\
         \t\t\tmake_sensor(wc, x=deeper(i + j), stiff=False)\n\
         \treturn wc.get_walker()\n",
    );
    assert_eq!(
        (count(&value, "joints"), count(&value, "muscles")),
        (12, 30)
    );
    let muscles = value.get("muscles").and_then(Value::as_slice).unwrap();
    let last = muscles[4].as_slice().unwrap()[2].clone();
    assert_eq!(last.get("phase"), Some(&Value::Float(0.25)));
    assert_eq!(last.get("type"), Some(&Value::Str("muscle".into())));
    assert_eq!(
        muscles[3].as_slice().unwrap()[2].get("amplitude"),
        Some(&Value::Float(1.0))
    );
}

#[test]
fn entry_rule() {
    assert_eq!(
        both("def make_a(): return 1\ndef make_walker(): return 2\ndef make_b(): return 3"),
        Value::Int(2)
    );
    assert_eq!(
        both("def make_a(): return 1\ndef walk_b(): return 2\ndef helper(): return 3"),
        Value::Int(2)
    );
    assert_eq!(
        both("def walker(): return 1\ndef make_square(wc): return 2"),
        Value::Int(1)
    );
    assert_eq!(both("make_walker = lambda: 7"), Value::Int(7));
    assert_eq!(
        both("if True:\n  def make_x(): return 1\nelse:\n  pass"),
        Value::Int(1)
    );
    for tier in [Tier::Monty, Tier::CPython] {
        assert_eq!(
            runner(tier).run("def helper(): return 1"),
            Err(Failure::NoEntry)
        );
    }
}

#[test]
fn imports_of_the_host() {
    for imports in [
        "from walk_creator import walker_creator as wc",
        "import walk_creator\nwc = walk_creator.walker_creator",
        "from walk_creator import *\nwc = walker_creator",
        "from walk_creator import (\n    walker_creator,\n)\nimport math, numpy as n\nwc = walker_creator",
        "wc = walker_creator",
    ] {
        let value = both(&format!(
            "{imports}\ndef make_walker():\n  w = wc()\n  w.add_joint(1, 2)\n  return w.get_walker()"
        ));
        assert_eq!(count(&value, "joints"), 1, "{imports}");
    }
    assert_eq!(
        both("def make_walker():\n  import numpy as np\n  return float(np.sign(-3))"),
        Value::Float(-1.0)
    );
    assert_eq!(
        both("from math import sin, pi as p\ndef make_walker(): return sin(p / 2)"),
        Value::Float(1.0)
    );
}

#[test]
fn scalar_numpy() {
    let value = both(
        "def make_walker(): return [float(x) for x in [np.sign(-2), np.sign(0.0), np.sqrt(2), np.abs(-3), np.pi]]",
    );
    assert_eq!(value.as_slice().map(<[_]>::len), Some(5));
    // the C library's functions and numpy's may differ in the last bit
    let others = "def make_walker():\n\
         \x20 return [float(x) for x in [np.sin(0.5), np.cos(0.5), np.exp(1), np.floor(2.5), np.arctan2(1, 2),\n\
         \x20   np.tanh(0.3), np.minimum(1, 2), np.maximum(1, 2), np.clip(5, 0, 1), np.hypot(3, 4), np.mod(7, 3),\n\
         \x20   np.square(3), np.power(2, 3), np.log(2)]]";
    assert_eq!(reason(&runner(Tier::Monty).run(others)), "unsupported");
    let value = runner(Tier::Auto).run(others).unwrap();
    assert_eq!(value.as_slice().map(<[_]>::len), Some(14));
}

/// What strangers reported, and its kind: each had another answer in the first tier.
#[test]
fn the_first_tier_never_has_another_answer() {
    let expressions = [
        "next((i for i, p in enumerate([(0, 1), (0, 2)]) if p[1] > 1), -1)",
        "len(list(xs)) * 10 + len(list(xs))",
        "any(k * k > 50 for k in itertools.count())",
        "[i for i, _ in zip(itertools.count(), 'ab')]",
        "list(grow([1, 2]))",
        "[round(2.675, 2), round(0.5), round(1e300), round(-2.5, 0)]",
        "[1.0 // 0.1, -1.0 // 0.1, 7.5 // -2, divmod(1.0, 0.1), divmod(-7, 2)]",
        "[float(2**63), float(10**20), math.sqrt(2**70), math.log(10**30), math.sin(10**20)]",
        "[math.factorial(20), pow(3, -1, 7), math.cbrt(27), math.hypot(1.1, 2.3)]",
        "[(2**53 + 1) / 3, (2**62 + 1) / 7, 10**400 / 10**399]",
        "10**400 * 1.0",
        "[x ** 2 for x in [0.1 * k for k in range(99)]]",
        "[x ** 3 for x in [0.1 * k for k in range(99)]]",
        "2.0 ** 1024",
        "list({33, 100, 5, 7, 10})",
        "[x for x in {(0, 1), (1, 2), (5, 0)}]",
        "[hash((1, 2)), hash(1.5), hash(2**61 - 1)]",
        "re.match(r'a$', 'a\\n') is None",
        "re.sub('a', r'b\\n', 'banana')",
        "re.sub('(a)', lambda m: 'x', 'banana')",
        "[{'a': 1} | {'b': 2}, {1, 2} < {1, 2, 3}, {1: 0, True: 1}, {0.0: 1, 0: 2}]",
        "sum([0.1] * 10)",
        "[cut([1, 2, 3, 4]), more((1,)), more([1])]",
        "careful(lambda: [1][5])",
        "careful(lambda: next(x for x in [7]))",
        "careful(lambda: 1 / 0)",
        "sorted([3.0, 1, 2.5], key=lambda x: -x)",
        "str([1.0, 'a', None, (1,)])",
        "f'{2.675:.2f}'",
        "undefined(1 / 0)",
        "sized()",
    ];
    let head = "import math, re, itertools\n\
        xs = map(abs, [-1, -2, -3])\n\
        class Sized:\n  def size(self): return 3\n  __len__ = size\n\
        def sized(): return [len(Sized()), bool(Sized())]\n\
        def grow(xs):\n  for i, x in enumerate(xs):\n    if len(xs) < 5: xs.append(x)\n    yield i\n\
        def cut(a):\n  a[1:3] = [9]\n  return a\n\
        def more(a):\n  a += (2, 3)\n  return a\n\
        def careful(f):\n  try:\n    return f()\n  except Exception as e:\n    return str(type(e))\n";
    let (mut auto, mut second) = (runner(Tier::Auto), runner(Tier::CPython));
    for expression in expressions {
        for source in [
            format!("{head}def make_walker(): return {expression}"),
            format!("def make_walker(): return {expression}"),
        ] {
            assert_eq!(auto.run(&source), second.run(&source), "{source}");
        }
    }
    for source in [
        // two lazy makers of joints walk in turn
        "def make_walker():\n  wc = walker_creator()\n  a = (wc.add_joint(k, 0) for k in range(3))\n  \
         b = (wc.add_joint(k, 9) for k in range(3))\n  pairs = list(zip(a, b))\n  return [pairs, wc.get_walker()]",
        "def make_walker():\n  wc = walker_creator()\n  unused = (wc.add_joint(k, 0) for k in range(3))\n  \
         return wc.get_walker()",
        "def make_walker():\n  wc = walker_creator()\n  for j in map(lambda k: wc.add_joint(k, 0), range(3)):\n    \
         wc.add_joint(j, 9)\n  return wc.get_walker()",
        "def make_walker():\n  wc = walker_creator()\n  wc.add_joint(0, 0)\n  for i, (x, y) in enumerate(wc.joints):\n    \
         if i < 4: wc.add_joint(x + 1, y)\n  return wc.get_walker()",
    ] {
        assert_eq!(auto.run(source), second.run(source), "{source}");
    }
}

/// Joints and coordinates that are numbers without being Python's own.
#[test]
fn numbers_of_other_types() {
    let source = "import enum, fractions\nclass N(enum.IntEnum):\n  ONE = 1\n\
        def make_walker():\n  wc = walker_creator()\n  wc.add_joint(N.ONE, fractions.Fraction(1, 2))\n  \
        wc.add_joint(0, 0)\n  wc.add_muscle(N.ONE, 0, False, fractions.Fraction(1, 4))\n  return wc.get_walker()";
    let walker = runner(Tier::Auto).run(source).unwrap();
    assert_eq!(
        (count(&walker, "joints"), count(&walker, "muscles")),
        (2, 1)
    );
    for bad in ["'0', 1", "0.0, 1", "None, 1", "True, 0", "[0], 1", "-1, 0"] {
        let source = format!(
            "def make_walker():\n  wc = walker_creator()\n  wc.add_joint(0, 0)\n  wc.add_joint(1, 1)\n  \
             wc.add_muscle({bad})\n  return wc.get_walker()"
        );
        assert_eq!(
            runner(Tier::Monty).run(&source),
            runner(Tier::CPython).run(&source),
            "{bad}"
        );
    }
    let arrays =
        "import numpy as np\ndef make_walker(): return [float(x) for x in np.array([0, 2, 4]) * 2]";
    let expected = [0.0, 4.0, 8.0].map(Value::Float).to_vec();
    match runner(Tier::Auto).run(arrays) {
        Ok(value) => assert_eq!(value, Value::List(expected)),
        Err(failure) => assert!(
            failure.to_string().contains("numpy is not installed"),
            "{failure}"
        ),
    }
}

#[test]
fn lines_of_failures_are_the_programs_own() {
    for tier in [Tier::Monty, Tier::CPython] {
        let mut runner = runner(tier);
        let imports = "from walk_creator import (\n  walker_creator,\n  query_cppn)\n";
        let failure = runner.run(&format!(
            "{imports}def make_walker():\n  x = 1\n  return x / 0\n"
        ));
        let expected = Failure::Exception {
            kind: "ZeroDivisionError".into(),
            message: "division by zero".into(),
            line: 6,
        };
        assert_eq!(failure, Err(expected), "{tier:?}");
        let failure = runner.run(&format!(
            "{imports}def make_walker():\n  return walker_creator().add_joint('a', 1)"
        ));
        assert!(
            matches!(failure, Err(Failure::Exception { line: 5, .. })),
            "{tier:?} {failure:?}"
        );
        assert!(
            matches!(
                runner.run("x = 1\ndef make_walker(:\n"),
                Err(Failure::Syntax { line: 2, .. })
            ),
            "{tier:?}"
        );
    }
}

#[test]
fn programs_do_not_see_each_other() {
    for tier in [Tier::Monty, Tier::CPython] {
        let mut runner = runner(tier);
        let square = runner.run(&seed("square"));
        let vandal = "import math\nmath.pi = 3\nwalker_creator.add_joint = None\nwalker_creator = None\nx = 1\ndef make_walker(): return x";
        let _ = runner.run(vandal);
        let _ = runner.run("walker_creator = None\nx = 1\ndef make_walker(): return x");
        assert_eq!(runner.run(&seed("square")), square);
        assert!(
            matches!(
                runner.run("def make_walker(): return x"),
                Err(Failure::Exception { .. })
            ),
            "{tier:?}"
        );
    }
}

#[test]
fn auto_asks_the_second_tier_for_what_the_first_lacks() {
    let mut first = runner(Tier::Monty);
    let mut auto = runner(Tier::Auto);
    for source in [
        "def g():\n  yield 1\n  yield 2\ndef make_walker(): return list(g())",
        "class A:\n  def f(self): return [1, 2]\nclass B(A): pass\ndef make_walker(): return B().f()",
        "def make_walker():\n  a = [0, 1, 2]\n  del a[0]\n  return a",
        "import itertools\ndef make_walker(): return [x for x, in itertools.product([1, 2])]",
        "import random, copy\ndef make_walker(): return copy.copy([1, 2])",
        "def make_walker():\n  return [int(s) for s in ('%d %d' % (1, 2)).split()]",
        "class A:\n  def __add__(self, o): return [1, 2]\ndef make_walker(): return A() + A()",
        "def make_walker(): return [(3 > 2) - (2 > 3), True + True]",
        "def make_walker():\n  match 1:\n    case 1: return [1, 2]",
        "def make_walker(): return [complex(1, 2).real, 2] and [1, 2]",
        "def make_walker():\n  a = [0, 0]\n  a[0], a[1] = 1, 2\n  return a",
        "def make_walker():\n  a = [0]\n  for a[0] in [1, 2]: pass\n  return [1, a[0]]",
    ] {
        let failure = first.run(source).unwrap_err();
        assert_eq!(failure.reason(), "unsupported", "{source}\n{failure}");
        assert_eq!(
            auto.run(source),
            Ok(Value::List(vec![Value::Int(1), Value::Int(2)])),
            "{source}"
        );
    }
    // a fault of the program's own stays with the first tier
    assert!(matches!(
        auto.run("def make_walker(): return nothing"),
        Err(Failure::Exception { .. })
    ));
    // and what is wrong for both is wrong
    assert!(matches!(
        auto.run("def make_walker():\n  def f(a, a): return a\n  return [1]"),
        Err(Failure::Syntax { line: 2, .. })
    ));
}

#[test]
fn chance_is_a_function_of_the_text() {
    let source = "import random\ndef make_walker(): return [random.random(), random.randint(0, 10**6), hash('a'), sorted({'x', 'y'})[0]]";
    let value = runner(Tier::Auto).run(source).unwrap();
    let mut other: Runner = runner(Tier::CPython);
    assert_eq!(other.run(source).unwrap(), value);
    assert_eq!(other.run(source).unwrap(), value);
    assert_ne!(other.run(&format!("{source} # other")).unwrap(), value);
}

#[test]
fn a_missing_python_is_said_with_its_mend() {
    let mut config = config(Tier::Auto);
    config.python = Some("/no/such/python3".into());
    let mut runner = Runner::new(config.clone()).unwrap();
    assert!(runner.run(&seed("square")).is_ok());
    let failure = runner
        .run("import random\ndef make_walker(): return 1")
        .unwrap_err();
    assert!(
        matches!(&failure, Failure::NoPython { mend } if mend.contains("/no/such/python3") && mend.contains("install")),
        "{failure}"
    );
    config.tier = Tier::CPython;
    let failure = Runner::new(config)
        .unwrap()
        .run(&seed("square"))
        .unwrap_err();
    assert_eq!(failure.reason(), "no-python");
}

#[test]
fn a_runner_moves_between_threads_and_survives_its_maker() {
    let mut runner = std::thread::spawn(|| {
        let mut runner = runner(Tier::Auto);
        runner
            .run("import random\ndef make_walker(): return 1")
            .unwrap();
        runner
    })
    .join()
    .unwrap();
    assert!(runner.run(&seed("square")).is_ok());
    assert_eq!(
        runner.run("import random\ndef make_walker(): return 1"),
        Ok(Value::Int(1))
    );
}

#[test]
fn bad_configurations_are_errors() {
    let mut broken = config(Tier::Monty);
    broken.host.prelude = "x = undefined_name".into();
    assert!(
        Runner::new(broken.clone())
            .err()
            .unwrap()
            .to_string()
            .contains("undefined_name")
    );
    broken.tier = Tier::CPython;
    assert!(
        Runner::new(broken)
            .err()
            .unwrap()
            .to_string()
            .contains("undefined_name")
    );
    let mut none = config(Tier::Monty);
    none.worker.clear();
    assert!(matches!(Runner::new(none), Err(pyrun::Error::NoWorker)));
    let mut gone = config(Tier::Monty);
    gone.worker = vec!["/no/such/worker".into()];
    assert!(
        Runner::new(gone)
            .err()
            .unwrap()
            .to_string()
            .contains("/no/such/worker")
    );
}

/// `PYRUN_TEST_PYTHON` names an interpreter that has numpy; without it, whatever python3 has.
#[test]
fn numpy_is_the_real_one_where_it_is_installed() {
    let mut config = config(Tier::Auto);
    config.python = std::env::var_os("PYRUN_TEST_PYTHON").map(Into::into);
    let required = config.python.is_some();
    let mut runner = Runner::new(config).unwrap();
    let real =
        "import random\nimport numpy as np\ndef make_walker(): return hasattr(np, 'ndarray')";
    let real = runner.run(real).unwrap() == Value::Bool(true);
    assert!(real || !required, "that interpreter has no numpy");
    let product = "import numpy\ndef make_walker():\n  a = numpy.ones((2, 3))\n  return float((a @ a.T).sum())";
    let chance = "def make_walker(): return [float(x) for x in np.random.rand(3)]";
    if real {
        assert_eq!(runner.run(product), Ok(Value::Float(12.0)));
        assert_eq!(runner.run(chance), runner.run(chance));
        let scalars = "import random\ndef make_walker():\n  wc = walker_creator()\n  wc.add_joint(np.float64(1), np.sign(3))\n  return wc.get_walker()";
        assert_eq!(count(&runner.run(scalars).unwrap(), "joints"), 1);
    } else {
        assert_eq!(reason(&runner.run(product)), "exception");
    }
}
