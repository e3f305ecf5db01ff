//! The two programs, their bugs and their unit tests, as data.

use mutate::node_replacement;
use serde::Serialize;
use toml::Value;

/// A correct program, the bugs that can be put into it, and the unit tests that tell.
#[derive(Debug)]
pub struct Task {
    /// Its name on the command line.
    pub name: &'static str,
    /// The function under test.
    pub function: &'static str,
    /// The program; `{1}`, `{2}` and so on mark where the bugs go.
    template: &'static str,
    /// Bug k is the k-th pair: what stands in the correct program, and what the bug makes of it.
    bugs: &'static [(&'static str, &'static str)],
    /// Arguments of the unit tests.
    arguments: fn() -> Vec<[f64; 4]>,
    /// What the function must return.
    reference: fn([f64; 4]) -> f64,
    /// The names that genetic programming may put into the program beside those that are there: without the misspelt
    /// ones its alphabet would be that of the correct program alone.
    pub misspelt: &'static [&'static str],
    /// What the exact treatment of genetic programming draws from.
    pub primitives: Primitives,
}

/// The sets that the paper's genetic programming ([`mutate::node_replacement`]) draws from, and how often.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Primitives {
    /// Variables, which replace each other.
    pub variables: &'static [&'static str],
    /// Whole numbers, which replace each other.
    pub constants: &'static [i64],
    /// Functions of two arguments that replace each other, and any other such function that the program has.
    pub binary: &'static [&'static str],
    /// Probability that a node is replaced: to two digits the one at which the geometric mean of the success rates,
    /// over the numbers of bugs that can be mended at all, is greatest.
    pub rate: f64,
}

/// One unit test.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct UnitTest {
    /// What the function is called with.
    pub arguments: [f64; 4],
    /// What it must return: the same number, whole or not.
    pub expected: f64,
}

impl Primitives {
    /// The same for the operator.
    pub fn owned(self) -> node_replacement::Primitives {
        let texts = |all: &[&str]| all.iter().map(|&text| text.to_owned()).collect();
        node_replacement::Primitives {
            rate: self.rate,
            variables: texts(self.variables),
            constants: self.constants.to_vec(),
            binary: texts(self.binary),
        }
    }

    /// The operator's section of the settings.
    pub fn section(self) -> Value {
        Value::try_from(self.owned()).expect("plain data")
    }
}

const DIGITS: &[i64] = &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9];
const ARITHMETIC: &[&str] = &["+", "-", "*", "/"];

/// The tasks of the comparison (Lehman et al. 2022, section 3), in the order shown.
pub static TASKS: [Task; 2] = [
    Task {
        name: "parity",
        function: "parity",
        template: r#"def parity(b1, b2, b3, b4):
    """Parity of four bits: 1 if an odd number of them is set, 0 if an even number is."""
    total = sum([{1}, {2}, {3}, {4}])
    return total % {5}
"#,
        bugs: &[
            ("b1", "c1"),
            ("b2", "c2"),
            ("b3", "c3"),
            ("b4", "c4"),
            ("2", "3"),
        ],
        arguments: all_bits,
        reference: |[a, b, c, d]| (a + b + c + d) % 2.0,
        misspelt: &["c1", "c2", "c3", "c4"],
        primitives: Primitives {
            variables: &["b1", "b2", "b3", "b4", "c1", "c2", "c3", "c4"],
            constants: DIGITS,
            binary: ARITHMETIC,
            rate: 0.39,
        },
    },
    Task {
        name: "quadratic",
        function: "quadratic",
        template: r#"def quadratic(a, b, c, x):
    """The value at x of the quadratic polynomial whose coefficients are a, b and c, highest power first."""
    return a * x**2 {1} b * x {2} c
"#,
        bugs: &[("+", "-"), ("+", "-")],
        arguments: some_polynomials,
        reference: |[a, b, c, x]| a * x * x + b * x + c,
        misspelt: &[],
        primitives: Primitives {
            variables: &["a", "b", "c", "x"],
            constants: DIGITS,
            binary: ARITHMETIC,
            rate: 0.14,
        },
    },
];

fn all_bits() -> Vec<[f64; 4]> {
    (0..16u8)
        .map(|bits| [3, 2, 1, 0].map(|place| f64::from(bits >> place & 1)))
        .collect()
}

/// Numbers whose sums and products are exact, so that any right formula gives the same to the bit.
fn some_polynomials() -> Vec<[f64; 4]> {
    vec![
        [0.0, 0.0, 0.0, 0.0],
        [1.0, 0.0, 0.0, 3.0],
        [0.0, 1.0, 0.0, 5.0],
        [0.0, 0.0, 1.0, 7.0],
        [1.0, 1.0, 1.0, 1.0],
        [1.0, 2.0, 3.0, 4.0],
        [2.0, -3.0, 5.0, -7.0],
        [-1.0, 4.0, -6.0, 2.0],
        [3.0, 7.0, -11.0, 0.0],
        [0.5, -1.5, 2.25, 4.0],
        [-2.5, 0.25, -0.75, -1.5],
        [10.0, 100.0, 1000.0, 0.125],
    ]
}

impl Task {
    /// The task of a name.
    pub fn by_name(name: &str) -> Option<&'static Task> {
        TASKS.iter().find(|task| task.name == name)
    }

    /// How many bugs there are at most.
    pub fn bugs(&self) -> usize {
        self.bugs.len()
    }

    /// The correct program.
    pub fn correct(&self) -> String {
        self.buggy(0)
    }

    /// The program with the first `bugs` bugs; all of them if there are fewer.
    pub fn buggy(&self, bugs: usize) -> String {
        let mut program = self.template.to_owned();
        for (i, (right, wrong)) in self.bugs.iter().enumerate() {
            let text = if i < bugs { wrong } else { right };
            program = program.replace(&format!("{{{}}}", i + 1), text);
        }
        program
    }

    /// The unit tests. A program that passes them all has no bug left.
    pub fn tests(&self) -> Vec<UnitTest> {
        (self.arguments)()
            .into_iter()
            .map(|arguments| UnitTest {
                arguments,
                expected: (self.reference)(arguments),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bug_changes_one_place_and_keeps_the_lower_ones() {
        for task in &TASKS {
            let correct = task.correct();
            assert!(!correct.contains('{'), "{correct}");
            for bugs in 1..=task.bugs() {
                let (less, more) = (task.buggy(bugs - 1), task.buggy(bugs));
                assert_eq!(less.len(), more.len());
                let differ =
                    |a: &str, b: &str| a.bytes().zip(b.bytes()).filter(|(a, b)| a != b).count();
                assert_eq!(differ(&less, &more), 1, "{more}");
                assert_eq!(differ(&correct, &more), bugs, "{more}");
            }
            assert_eq!(task.buggy(99), task.buggy(task.bugs()));
        }
        let parity = Task::by_name("parity").unwrap();
        assert!(parity.buggy(2).contains("sum([c1, c2, b3, b4])"));
        assert!(
            parity
                .buggy(5)
                .ends_with("sum([c1, c2, c3, c4])\n    return total % 3\n")
        );
        let quadratic = Task::by_name("quadratic").unwrap();
        assert!(
            quadratic
                .buggy(1)
                .ends_with("return a * x**2 - b * x + c\n")
        );
        assert!(Task::by_name("cubic").is_none());
    }

    #[test]
    fn parity_is_tested_on_all_inputs() {
        let mut tests = Task::by_name("parity").unwrap().tests();
        assert_eq!(tests[0b1011].arguments, [1.0, 0.0, 1.0, 1.0]);
        assert_eq!(tests[0b1011].expected, 1.0);
        assert_eq!(tests.iter().filter(|t| t.expected == 1.0).count(), 8);
        tests.dedup();
        assert_eq!(tests.len(), 16);
    }

    /// Each wrong sign, and each wrong use of a coefficient, must show in some test.
    #[test]
    fn polynomials_tell_wrong_formulas() {
        let tests = Task::by_name("quadratic").unwrap().tests();
        type Formula = fn([f64; 4]) -> f64;
        let wrong: [Formula; 6] = [
            |[a, b, c, x]| a * x * x - b * x + c,
            |[a, b, c, x]| a * x * x + b * x - c,
            |[a, b, c, x]| a * x * x - b * x - c,
            |[a, b, c, x]| a * x * 2.0 + b * x + c,
            |[a, b, c, x]| b * x * x + a * x + c,
            |[a, _, c, x]| a * x * x + a * x + c,
        ];
        for (i, formula) in wrong.iter().enumerate() {
            assert!(
                tests.iter().any(|t| formula(t.arguments) != t.expected),
                "formula {i}"
            );
        }
    }
}
