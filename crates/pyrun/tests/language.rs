//! The language of the programs, in both tiers.

mod common;

use common::*;
use pyrun::{Tier, Value};

#[test]
fn seeds_give_walkers() {
    let mut first = runner(Tier::Monty);
    for (name, joints, muscles) in [
        ("square", 5, 8),
        ("radial", 9, 16),
        ("cppn-fixed", 24, 96),
        ("cppn-mutable", 24, 96),
    ] {
        let value = first.run(&seed(name)).unwrap();
        assert_eq!(
            value
                .get("joints")
                .and_then(Value::as_slice)
                .map(<[_]>::len),
            Some(joints),
            "{name}"
        );
        assert_eq!(
            value
                .get("muscles")
                .and_then(Value::as_slice)
                .map(<[_]>::len),
            Some(muscles),
            "{name}"
        );
    }
}

#[test]
fn both_tiers_agree_on_the_seeds() {
    let (mut first, mut second) = (runner(Tier::Monty), runner(Tier::CPython));
    for name in ["square", "radial", "cppn-fixed", "cppn-mutable"] {
        assert_eq!(first.run(&seed(name)), second.run(&seed(name)), "{name}");
    }
}
