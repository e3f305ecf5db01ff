//! Whatever the creator lets through simulates: no panic, no NaN, no hang.

mod random;

use sodarace::{Blueprint, Drive, RawMuscle, Terrain, Walker, simulate, trajectory};

fn check(walkers: &[Walker], terrain: &str) -> Vec<f64> {
    let terrain = Terrain::by_name(terrain).unwrap();
    let walkers: Vec<_> = walkers.iter().collect();
    let results = simulate(&walkers, &terrain, 300);
    assert_eq!(results.len(), walkers.len());
    let distances = results.into_iter().filter_map(Result::ok);
    let distances: Vec<f64> = distances.collect();
    for d in &distances {
        // The solver moves no mass faster than 2 a step.
        assert!((0.0..=600.0).contains(d), "{d}");
    }
    distances
}

#[test]
fn random_hostile_walkers_simulate() {
    for (seed, (joints, size)) in [(4, 50.0), (12, 0.2), (40, 3.0), (125, 50.0), (125, 1.0)]
        .into_iter()
        .enumerate()
    {
        let walkers = random::walkers(seed as u64, 32, joints, size, true);
        for terrain in ["flat", "bumpy", "right-wall", "tunnel:20"] {
            check(&walkers, terrain);
        }
    }
}

#[test]
fn rejections_are_typed_and_some_wild_blueprints_pass() {
    let mut random = random::Random(3);
    let mut passed = 0;
    let mut reasons = std::collections::BTreeSet::new();
    for _ in 0..3000 {
        match Walker::create(&random::blueprint(&mut random, 60, 40.0, true)) {
            Ok((walker, _)) => {
                passed += 1;
                assert!(walker.joints.iter().flatten().all(|c| c.is_finite()));
                let text = serde_json::to_string(&walker).unwrap();
                assert_eq!(serde_json::from_str::<Walker>(&text).unwrap(), walker);
            }
            Err(rejected) => drop(reasons.insert(rejected.reason())),
        }
    }
    assert!(passed > 100, "{passed}");
    for reason in ["not-finite", "too-large", "unknown-joint"] {
        assert!(reasons.contains(reason), "{reasons:?}");
    }
}

/// All muscles of the shortest length allowed, all at full swing.
#[test]
fn the_largest_and_densest_walker_simulates() {
    let mut b = Blueprint::default();
    for i in 0..128 {
        b.joints
            .push([f64::from(i % 16) * 0.1001, f64::from(i / 16) * 0.1001]);
    }
    for step in [1, 16, 17, 15] {
        for a in 0..128 - step {
            b.muscles.push(RawMuscle {
                a,
                b: a + step,
                drive: Drive::Active {
                    amplitude: if a % 2 == 0 { 1.0 } else { -1.0 },
                    phase: 1e18 * a as f64,
                },
            });
        }
    }
    let (walker, _) = Walker::create(&b).unwrap();
    assert_eq!((walker.joints.len(), walker.muscles.len()), (128, 463));
    for terrain in Terrain::names() {
        assert_eq!(check(std::slice::from_ref(&walker), terrain).len(), 1);
    }
}

/// A walker that starts within rock is stuck; outside, it moves.
#[test]
fn rock_holds_what_starts_within() {
    let wide = |half_width: f64| {
        let mut b = Blueprint::default();
        for x in [-half_width, 0.0, half_width] {
            b.joints.push([x, 0.0]);
            b.joints.push([x + 1.0, 8.0]);
        }
        for (a, c) in [
            (0, 1),
            (1, 2),
            (2, 3),
            (3, 4),
            (4, 5),
            (0, 2),
            (2, 4),
            (1, 3),
        ] {
            let drive = Drive::Active {
                amplitude: 0.9,
                phase: 0.1 * a as f64,
            };
            b.muscles.push(RawMuscle { a, b: c, drive });
        }
        Walker::create(&b).unwrap().0
    };
    let (narrow, wide) = (wide(9.0), wide(30.0));
    for terrain in ["tunnel", "left-wall", "right-wall"] {
        let terrain = Terrain::by_name(terrain).unwrap();
        let results = simulate(&[&wide, &narrow], &terrain, 300);
        assert_eq!(results[0], Ok(0.0), "{}", terrain.name);
        assert!(results[1].unwrap() > 0.01, "{}", terrain.name);
        let still = trajectory(&wide, &terrain, 30, 10).unwrap();
        assert_eq!(still.frames.len(), 4);
        assert_eq!(still.frames[0], still.frames[3]);
    }
}
