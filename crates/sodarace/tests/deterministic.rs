//! The same walker gives the same bits in any build, in any lane, beside any
//! neighbours, on any thread.

mod random;
mod reference;

use sodarace::{Terrain, Walker, simulate, trajectory};

fn bits(walkers: &[&Walker], terrain: &Terrain) -> Vec<Option<u64>> {
    let results = simulate(walkers, terrain, 400);
    results
        .into_iter()
        .map(|r| r.ok().map(f64::to_bits))
        .collect()
}

/// Seeds, random walkers, children of one parent: equal and unequal topologies.
fn population() -> Vec<Walker> {
    let mut all: Vec<Walker> = reference::walks()
        .iter()
        .map(reference::Walk::walker)
        .collect();
    let parent = all[8].clone();
    for i in 0..20 {
        let mut child = parent.clone();
        if i % 2 == 0 {
            child.muscles.remove(3 * i);
        }
        child.joints[i][0] += 0.01 * i as f64;
        all.push(child);
    }
    all.extend(random::walkers(5, 40, 20, 8.0, false));
    all
}

/// FNV-1a.
fn hash(bits: impl Iterator<Item = u64>) -> u64 {
    bits.flat_map(u64::to_le_bytes)
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
        })
}

/// The same figure in debug and in release, and on every machine.
#[test]
fn bits_are_those_recorded() {
    const RECORDED: u64 = 0xf01a_db54_11f3_1d02;
    let walkers = population();
    let walkers: Vec<&Walker> = walkers.iter().collect();
    let all = Terrain::names().iter().flat_map(|name| {
        let terrain = Terrain::by_name(name).unwrap();
        bits(&walkers, &terrain)
            .into_iter()
            .map(|b| b.unwrap_or(u64::MAX))
    });
    let found = hash(all);
    assert_eq!(found, RECORDED, "{found:#x}");
}

#[test]
fn neighbours_do_not_matter() {
    let walkers = population();
    let walkers: Vec<&Walker> = walkers.iter().collect();
    for terrain in ["flat", "bumpy"] {
        let terrain = Terrain::by_name(terrain).unwrap();
        let together = bits(&walkers, &terrain);
        assert!(together.iter().flatten().any(|b| f64::from_bits(*b) > 1.0));

        let mut random = random::Random(9);
        let mut order: Vec<usize> = (0..walkers.len()).collect();
        for i in (1..order.len()).rev() {
            order.swap(i, random.below(i + 1));
        }
        for some in order.chunks(23) {
            let shuffled: Vec<&Walker> = some.iter().map(|i| walkers[*i]).collect();
            let expected: Vec<_> = some.iter().map(|i| together[*i]).collect();
            assert_eq!(bits(&shuffled, &terrain), expected);
        }
        for i in (0..walkers.len()).step_by(7) {
            assert_eq!(bits(&[walkers[i]], &terrain), [together[i]]);
        }
    }
}

#[test]
fn threads_do_not_matter() {
    let walkers = population();
    let walkers: Vec<&Walker> = walkers.iter().collect();
    let terrain = Terrain::by_name("bumpy").unwrap();
    let expected = bits(&walkers, &terrain);
    let found: Vec<_> = std::thread::scope(|scope| {
        let parts = walkers
            .chunks(29)
            .map(|part| scope.spawn(|| bits(part, &terrain)));
        let parts: Vec<_> = parts.collect();
        parts.into_iter().flat_map(|p| p.join().unwrap()).collect()
    });
    assert_eq!(found, expected);
}

/// A trajectory is the walk that is measured.
#[test]
fn trajectory_and_distance_are_one_walk() {
    let walkers = population();
    let terrain = Terrain::by_name("bumpy").unwrap();
    for walker in walkers.iter().step_by(11) {
        let t = trajectory(walker, &terrain, 400, 30).unwrap();
        assert_eq!(t.frames.len(), 14);
        let every = trajectory(walker, &terrain, 390, 390).unwrap();
        assert_eq!(t.frames.last(), every.frames.last());
        let whole = trajectory(walker, &terrain, 400, 400).unwrap();
        let distance = (whole.com(1)[0] - whole.com(0)[0]).abs();
        assert_eq!(bits(&[walker], &terrain), [Some(distance.to_bits())]);
    }
}
