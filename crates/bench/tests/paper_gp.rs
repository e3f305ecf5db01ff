//! The paper's genetic programming on the tasks: how often it mends them, computed and counted.

use bench::bugs::Task;
use mutate::node_replacement::{NodeReplacement, Primitives};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

fn children(task: &Task, rate: f64, bugs: usize, count: usize) -> Vec<String> {
    let operator = NodeReplacement::new(Primitives {
        rate,
        ..task.primitives.owned()
    });
    let parent = task.buggy(bugs);
    let mut rng = ChaCha8Rng::seed_from_u64(bugs as u64);
    (0..count)
        .map(|_| operator.mutate(&parent, &mut rng).unwrap())
        .collect()
}

#[test]
fn at_rate_0_nothing_changes_and_at_rate_1_every_node() {
    let parity = Task::by_name("parity").unwrap();
    let same = parity.buggy(3).replace("total % 2", "(total % 2)");
    assert_eq!(children(parity, 0.0, 3, 1), [same]);
    for child in children(parity, 1.0, 5, 50) {
        let body = child.lines().skip(2).collect::<Vec<_>>();
        assert!(body[0].starts_with("    total = sum(["), "{child}");
        assert!(
            !body[0].contains("([c1") && !body[0].contains("c4])"),
            "{child}"
        );
        assert!(
            !body[1].contains("total") && !body[1].contains('%'),
            "{child}"
        );
        assert!(!body[1].ends_with("3)"), "{child}");
        assert_eq!(child.lines().next(), parity.correct().lines().next());
    }
    let quadratic = Task::by_name("quadratic").unwrap();
    let same = &children(quadratic, 0.0, 1, 1)[0];
    assert!(
        same.ends_with("return (((a * (x ** 2)) - (b * x)) + c)\n"),
        "{same}"
    );
}

/// Whether a child is the correct program but for the order of the four bits, which a sum forgets.
fn has_parity(child: &str) -> bool {
    let Some((head, rest)) = child.split_once("sum([") else {
        return false;
    };
    let Some((names, tail)) = rest.split_once("])") else {
        return false;
    };
    let mut names: Vec<&str> = names.split(", ").collect();
    names.sort_unstable();
    head.ends_with("total = ")
        && names == ["b1", "b2", "b3", "b4"]
        && tail == "\n    return (total % 2)\n"
}

/// The probability that up to four misspelt names are mended. Of the seven nodes three stay (`%` and its sides);
/// the four bits may end up in any order, each in its own place by staying there unless it was misspelt.
fn parity_share(p: f64, bugs: usize) -> f64 {
    let digits = |n: usize| [n / 64 % 4, n / 16 % 4, n / 4 % 4, n % 4];
    let orders = (0..256)
        .map(digits)
        .filter(|order| (0..4).all(|bit| order.contains(&bit)));
    let order = |order: [usize; 4]| -> f64 {
        let place = |(i, bit)| {
            if i == bit && i >= bugs {
                1.0 - p
            } else {
                p / 7.0
            }
        };
        order.into_iter().enumerate().map(place).product()
    };
    orders.map(order).sum::<f64>() * (1.0 - p).powi(3)
}

/// The probability that one or two wrong signs of eleven nodes are mended, each of three others it may become.
fn quadratic_share(p: f64, bugs: usize) -> f64 {
    (p / 3.0).powi(bugs as i32) * (1.0 - p).powi(11 - bugs as i32)
}

#[test]
fn bugs_are_mended_as_often_as_computed() {
    let [parity, quadratic] = ["parity", "quadratic"].map(|name| Task::by_name(name).unwrap());
    let right = |child: &str| child.ends_with("return (((a * (x ** 2)) + (b * x)) + c)\n");
    let trials = 60_000;
    for bugs in 1..=2 {
        for (task, share, mended) in [
            (
                parity,
                parity_share as fn(f64, usize) -> f64,
                has_parity as fn(&str) -> bool,
            ),
            (quadratic, quadratic_share, right),
        ] {
            let expected = share(task.primitives.rate, bugs) * trials as f64;
            let children = children(task, task.primitives.rate, bugs, trials);
            let found = children.iter().filter(|child| mended(child)).count() as f64;
            assert!(
                (found - expected).abs() < 3.0 * expected.sqrt(),
                "{}, {bugs} bugs: {found}, not {expected}",
                task.name
            );
        }
    }
}

#[test]
fn the_rates_are_the_best_ones() {
    for (name, share, bugs) in [
        ("parity", parity_share as fn(f64, usize) -> f64, 4),
        ("quadratic", quadratic_share, 2),
    ] {
        let product = |rate: f64| (1..=bugs).map(|bugs| share(rate, bugs)).product::<f64>();
        let own = Task::by_name(name).unwrap().primitives.rate;
        for other in (1..100).map(|percent| f64::from(percent) / 100.0) {
            assert!(
                product(other) <= product(own),
                "{name}: {other} is better than {own}"
            );
        }
    }
}
