//! The second tier with every CPython of this machine, in the surroundings that people bring; CPython itself is the judge.

mod common;

use std::path::Path;
use std::process::Command;

use common::*;
use pyrun::{Config, Failure, Runner, Tier, Value};

/// Programs that need what Python loads late, with CPython's own answers to compare with.
const LATE: &[&str] = &[
    "import random\ndef make_walker(): return [random.random(), random.randint(0, 9), random.gauss(0, 1)]",
    "def make_walker(): return '\\N{BULLET}' + '\\N{GREEK SMALL LETTER ALPHA}'",
    "ﬁ = 3\nñ = 4\ndef make_walker(): return fi + ñ + eval('ﬁ')",
    "def make_walker(): return [str(7 ** 4000)[:50], len(str(3 ** 8000)), int('9' * 3000) % 1007]",
    "def make_walker(): return [x.encode(e).hex() for x, e in [('ä', 'latin-1'), ('ä', 'cp1252'), ('ä', 'utf-16'), ('a', 'utf-7'), ('é', 'cp437'), ('ñ', 'idna'), ('я', 'koi8_r')]]",
    "from collections import Counter\ndef make_walker(): return Counter('abracadabra').most_common(2)",
    "import re\ndef make_walker(): return [re.sub(r'\\N{BULLET}', '-', 'a•b'), re.findall(r'(?i)[a-c]+', 'xABCx')]",
    "import typing\n@typing.runtime_checkable\nclass P(typing.Protocol):\n  def f(self): ...\nclass A:\n  def f(self): pass\ndef make_walker(): return [isinstance(A(), P), isinstance(3, P)]",
    "from __future__ import annotations\nimport typing\nclass A:\n  x: int = 3\ndef make_walker(): return [k + v.__name__ for k, v in typing.get_type_hints(A).items()]",
    "from dataclasses import dataclass, field, asdict\nfrom typing import ClassVar\n@dataclass(order=True)\nclass A:\n  x: int\n  y: list = field(default_factory=list)\n  n: ClassVar[int] = 3\ndef make_walker(): return [asdict(A(1, [2])), A(1) < A(2), repr(A(4))]",
    "from __future__ import annotations\nfrom dataclasses import dataclass\nfrom typing import ClassVar\n@dataclass\nclass A:\n  x: int\n  n: ClassVar[int] = 3\ndef make_walker(): return [repr(A(1)), A.n]",
    "from enum import Enum, IntFlag\nclass E(Enum):\n  A = 1\n  B = 2\nclass F(IntFlag):\n  X = 1\n  Y = 2\ndef make_walker(): return [E.A.name, E(2).value, (F.X | F.Y).value, [e.name for e in E]]",
    "from functools import singledispatch, lru_cache, total_ordering\n@singledispatch\ndef f(x): return 'any'\n@f.register\ndef _(x: int): return 'int'\n@lru_cache\ndef g(n): return n if n < 2 else g(n - 1) + g(n - 2)\ndef make_walker(): return [f(1), f(''), g(60)]",
    "import statistics as s\ndef make_walker(): return [s.median([3, 1, 2]), s.stdev([1, 2, 4]), s.NormalDist(0, 1).cdf(1), s.quantiles([1, 2, 3, 4]), s.mode('aab'), s.geometric_mean([1, 4])]",
    "from decimal import Decimal, getcontext\nfrom fractions import Fraction\ndef make_walker():\n  getcontext().prec = 30\n  return [str(Decimal(2).sqrt()), str(Fraction(3, 7) ** 3), str(Fraction('0.125')), format(Decimal('1234.5'), ',.2f')]",
    "import json, copy, string, textwrap, heapq, bisect, array, cmath, operator, contextlib, types, numbers\ndef make_walker(): return [json.loads(json.dumps({'a': [1, 2.5, None]})), copy.deepcopy([[1]]), string.Template('$a b').substitute(a=1), textwrap.fill('a b c d e', 5), heapq.nsmallest(2, [3, 1, 2]), bisect.bisect([1, 2, 3], 2), list(array.array('d', [1, 2])), cmath.phase(-1), isinstance(3, numbers.Integral)]",
    "class A:\n  def __init_subclass__(cls, **k): cls.k = sorted(k)\nclass B(A, x=1): pass\ndef g():\n  y = yield 1\n  yield y\ndef make_walker():\n  it = g()\n  return [B.k, next(it), it.send(5), f'{3.14159:>10.2f}|{255:#x}|{\"ä\"!a}', '%5.1f|%r' % (2.25, 'x')]",
    "def make_walker():\n  try:\n    raise ValueError('a') from KeyError('b')\n  except ValueError as e:\n    return [str(e), type(e.__cause__).__name__, sorted({3, 1, 2}), hash((1, 2)) == hash((1, 2)), list(map(int, '1 2'.split()))]",
    "import math, random\ndef make_walker():\n  told = []\n  for f in (lambda: math.nothing, lambda: random.nothing, lambda: __import__('math').x, lambda: nothing, lambda: [].nothing):\n    try: f()\n    except (AttributeError, NameError) as e: told.append(str(e))\n  try:\n    from math import nothing\n  except ImportError as e:\n    told.append(e.msg.split(' (')[0])\n  return told",
    "def make_walker(): return ['\\d', [x for x in [1, 2] if x is 1]]",
    "class A:\n  def __del__(self): pass\n  def __reduce_ex__(self, n): return (A, ())\nimport copy\ndef make_walker(): return type(copy.copy(A())).__name__",
];

/// And with numpy, where it is there.
const NUMPY: &[&str] = &[
    "import numpy as np\ndef make_walker(): return (np.array([0, 2, 4]) * 2).tolist()",
    "import numpy as np\ndef make_walker():\n  a = np.arange(12.0).reshape(3, 4)\n  return [(a @ a.T).tolist(), a.sum(axis=0).tolist(), float(a.mean()), a.std().item(), a.var(axis=1).tolist(), float(np.median(a)), float(np.percentile(a, 30))]",
    "import numpy as np\ndef make_walker(): return [float(np.linalg.norm([3, 4])), float(np.linalg.det(np.eye(3) * 2)), np.linalg.solve([[2.0, 0], [0, 4]], [2, 4]).tolist(), np.linalg.eigvalsh(np.eye(2)).tolist(), np.linalg.svd(np.eye(2))[1].tolist()]",
    "import numpy as np\ndef make_walker(): return [abs(np.fft.fft([1, 2, 3, 4])).round(6).tolist(), np.fft.fftfreq(4).tolist()]",
    "import numpy as np\ndef make_walker(): return [np.polyfit([0, 1, 2], [1, 3, 5], 1).round(6).tolist(), float(np.polynomial.Polynomial([1, 2])(3)), np.roots([1, -3, 2]).tolist(), float(np.interp(1.5, [1, 2], [10, 20]))]",
    "import numpy as np\ndef make_walker(): return [str(np.array([1.5, 2])), repr(np.arange(3)), np.array2string(np.eye(2)), str(np.dtype([('a', 'i4')])), np.array(['b', 'a']).tolist(), np.char.upper('abc').item()]",
    "import numpy as np\ndef make_walker():\n  m = np.ma.array([1, 2, 3], mask=[0, 1, 0])\n  return [m.sum().item(), np.where([True, False], 1, 2).tolist(), np.cumsum([1, 2, 3]).tolist(), np.unique([3, 1, 3]).tolist(), np.sort([3, 1, 2])[::-1].tolist(), np.einsum('ii', np.eye(3)).item()]",
    "import numpy as np\ndef make_walker():\n  try:\n    np.array([1, 2]) + np.array([1, 2, 3])\n  except ValueError as e:\n    return str(e)",
    "import numpy as np\ndef make_walker():\n  with np.errstate(divide='ignore'):\n    a = np.float64(1) / np.array([0.0, 2.0])\n  return [bool(np.isinf(a[0])), float(a[1]), np.float32(1.5).item(), np.int64(7).item(), complex(np.exp(1j * np.pi)).real, np.linspace(0, 1, 5).tolist(), np.meshgrid([1, 2], [3])[0].tolist()]",
    "import numpy as np\ndef make_walker(): return np.array([1, 2, 3], dtype='>i2').astype('datetime64[D]').astype(str).tolist()",
];

fn with(python: &Path, tier: Tier) -> Config {
    let mut config = config(tier);
    config.python = Some(python.to_owned());
    config
}

/// What CPython itself makes of the programs, as the JSON of each value: no cage, the chance of the second tier.
fn judge(python: &Path, programs: &[&str]) -> Vec<String> {
    let script = "import json, random, sys, types, warnings\n\
        warnings.simplefilter('ignore')\n\
        for source in json.load(sys.stdin):\n\
        \x20   module = sys.modules['program'] = types.ModuleType('program')\n\
        \x20   random.seed(source)\n\
        \x20   exec(compile(source, 'p', 'exec'), vars(module))\n\
        \x20   print(json.dumps(module.make_walker()))\n";
    let mut child = Command::new(python)
        .args(["-c", script])
        .env("PYTHONHASHSEED", "0")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let stdin = child.stdin.take().unwrap();
    serde_json::to_writer(stdin, programs).unwrap();
    let output = child.wait_with_output().unwrap();
    let lines: Vec<String> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect();
    assert_eq!(
        lines.len(),
        programs.len(),
        "{}: {lines:?}",
        python.display()
    );
    lines
}

fn json(value: &Value) -> serde_json::Value {
    match value {
        Value::None => serde_json::Value::Null,
        Value::Bool(b) => (*b).into(),
        Value::Int(i) => (*i).into(),
        Value::Float(x) => (*x).into(),
        Value::Str(s) => s.as_str().into(),
        Value::List(items) | Value::Tuple(items) => items.iter().map(json).collect(),
        Value::Dict(pairs) => pairs
            .iter()
            .map(|(k, v)| (k.as_str().unwrap().to_owned(), json(v)))
            .collect(),
    }
}

/// Programs in the cage beside CPython's own answers.
fn agree(python: &Path, programs: &[&str]) {
    let mut runner = Runner::new(with(python, Tier::CPython)).unwrap();
    for (program, expected) in programs.iter().zip(judge(python, programs)) {
        let expected: serde_json::Value = serde_json::from_str(&expected).unwrap();
        let value = runner.run(program).map(|v| json(&v));
        assert_eq!(value, Ok(expected), "{}\n{program}", python.display());
    }
}

#[test]
fn every_python_of_this_machine_serves_or_says_why_not() {
    let found = pythons();
    eprintln!("{found:?}");
    assert!(
        found.iter().any(|(_, version)| *version >= (3, 9)),
        "no CPython 3.9 or newer"
    );
    for (python, version) in &found {
        let mut runner = Runner::new(with(python, Tier::CPython)).unwrap();
        match runner.python_problem() {
            None => {
                assert!(*version >= (3, 9), "{version:?}");
                agree(python, LATE);
                assert!(runner.run(&seed("square")).is_ok(), "{version:?}");
            }
            Some(problem) => {
                assert!(*version < (3, 9), "{version:?}: {problem}");
                let told = problem.to_string();
                assert!(
                    told.contains(&format!("is CPython {}.{}", version.0, version.1)),
                    "{told}"
                );
                assert!(told.contains("needs 3.9 or newer"), "{told}");
            }
        }
    }
}

/// In CI (`PYRUN_TEST_SPAN`) the oldest Python and a new one are there.
#[test]
fn the_oldest_and_a_new_python_are_among_them() {
    if std::env::var_os("PYRUN_TEST_SPAN").is_some() {
        let found = pythons();
        assert!(
            found.iter().any(|(_, v)| *v == (3, 9)),
            "no CPython 3.9: {found:?}"
        );
        assert!(
            found.iter().any(|(_, v)| *v >= (3, 13)),
            "no CPython 3.13 or newer: {found:?}"
        );
    }
}

/// `PYRUN_TEST_NUMPY` names interpreters that have numpy, separated by colons.
#[test]
fn numpy_of_every_version_works_in_the_cage() {
    let named = std::env::var_os("PYRUN_TEST_NUMPY").unwrap_or_default();
    for python in std::env::split_paths(&named).filter(|p| p.is_absolute()) {
        agree(&python, NUMPY);
        let mut runner = Runner::new(with(&python, Tier::CPython)).unwrap();
        let own = "import numpy as np\ndef make_walker(): return [float(np.random.default_rng().random()), float(np.random.rand())]";
        let value = runner.run(own);
        assert!(value.is_ok(), "{value:?}");
        assert_eq!(runner.run(own), value);
        let hidden = "import numpy as np\ndef make_walker(): return [np.ctypeslib.ctypes is None]";
        assert_eq!(runner.run(hidden), Ok(Value::List(vec![Value::Bool(true)])));
    }
}

/// What editors leave in a file, and names that are bound in every way: as CPython reads them, in either tier.
#[test]
fn programs_are_read_as_files_are() {
    let text = Ok(Value::Str("a\nb\nc".into()));
    for tier in [Tier::Monty, Tier::CPython, Tier::Auto] {
        let mut runner = runner(tier);
        for end in ["\n", "\r\n", "\r"] {
            let source =
                format!("\u{feff}def make_walker():{end}  return '''a{end}b{end}c'''{end}");
            assert_eq!(runner.run(&source), text, "{tier:?} {end:?}");
        }
        for refused in [
            "def make_walker(): return 1\0",
            "# coding: latin-1\ndef make_walker(): return 'ä'",
        ] {
            let failure = runner.run(refused);
            assert!(
                matches!(failure, Err(Failure::Syntax { .. })),
                "{tier:?} {failure:?}"
            );
        }
    }
    let guard = "made = [1]\nif __name__ == '__main__':\n  made.append(2)\n  while True: pass\ndef make_walker(): return made";
    let mut second = runner(Tier::CPython);
    assert_eq!(second.run(guard), Ok(Value::List(vec![Value::Int(1)])));
    let name = "import random\ndef make_walker(): return __name__";
    assert_eq!(second.run(name), Ok(Value::Str("program".into())));
}

#[test]
fn whatever_binds_the_entry_makes_it_one() {
    let mut runner = runner(Tier::CPython);
    let mut first = common::runner(Tier::Monty);
    let mut as_first = |source: &str, value: &Result<Value, Failure>| {
        let told = first.run(source);
        let left = reason(&told) == "unsupported";
        assert!(left || told == *value, "{told:?}\n{source}");
    };
    for source in [
        "make_walker: object = f",
        "a, make_walker = 1, f",
        "[a, (make_walker, *b)] = 1, (f, 2)",
        "for make_walker in [f]: pass",
        "import contextlib\nwith contextlib.nullcontext(f) as make_walker: pass",
        "(make_walker := f)",
        "[make_walker := g for g in [f]]",
        "def g():\n  global make_walker\n  make_walker = f\ng()",
        "def g():\n  def h():\n    global make_walker\n    def make_walker(): return 1\n  h()\ng()",
        "class make_walker:\n  def __new__(c): return 1",
        "from functools import partial as make_walker\nmake_walker = make_walker(f)",
        "try: raise ValueError\nexcept ValueError: make_walker = f",
        "if f: make_walker = f\nelse: pass",
        "make_walker = None\nmake_walker = f",
    ] {
        let source = format!("def f(): return 1\n{source}");
        let value = runner.run(&source);
        assert_eq!(value, Ok(Value::Int(1)), "{source}");
        as_first(&source, &value);
    }
    for source in [
        "make_walker: object",
        "def f():\n  make_walker = 1",
        "class A:\n  make_walker = f",
        "[make_walker for make_walker in [1]]",
        "f.make_walker = f",
        "if 0:\n  make_walker = f",
    ] {
        let source = format!("def f(): return 1\n{source}");
        let value = runner.run(&source);
        assert_eq!(value, Err(Failure::NoEntry), "{source}");
        as_first(&source, &value);
    }
    // bound in the text, but not when it is called
    let value = runner.run("def f(): return 1\nmake_walker = f\ndel make_walker");
    assert!(
        matches!(&value, Err(Failure::Exception { kind, .. }) if kind == "NameError"),
        "{value:?}"
    );
}

#[test]
fn texts_that_are_no_unicode_are_told() {
    let mut runner = runner(Tier::CPython);
    let told = |failure: Result<Value, Failure>| failure.unwrap_err().to_string();
    let raised = runner.run("def make_walker(): raise ValueError('a\\ud800b')");
    assert_eq!(told(raised), "line 1: ValueError: a\\ud800b");
    assert_eq!(
        reason(&runner.run("def make_walker(): return {'\\ud800': 1}")),
        "bad-result"
    );
    assert_eq!(
        reason(&runner.run("def make_walker(): return ['\\ud800']")),
        "bad-result"
    );
    let own = runner.run("def make_walker(): raise PermissionError('of its own')");
    assert_eq!(told(own), "line 1: PermissionError: of its own");
    let long = runner.run("def make_walker(): raise ValueError('\\ud800' * 10000)");
    assert!(told(long).len() < 2000);
}

/// Generators that ask the system for a seed are a function of the text too.
#[test]
fn a_seed_of_the_systems_is_the_texts() {
    let mut runner = runner(Tier::CPython);
    let source = "import random\ndef make_walker():\n  random.seed()\n  return [random.Random().random(), random.SystemRandom().random(), random.random()]";
    let value = runner.run(source);
    assert!(value.is_ok(), "{value:?}");
    assert_eq!(runner.run(source), value);
    assert_ne!(runner.run(&format!("{source}\n#")), value);
}
