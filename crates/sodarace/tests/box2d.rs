//! Agreement with Box2D 2.3 (golden test).

mod reference;

#[test]
fn walks_as_box2d_does() {
    let all = reference::compare();
    assert_eq!(all.len(), 96);
    let off: Vec<_> = all
        .iter()
        .filter(|c| !c.within(0.1))
        .map(|c| {
            format!(
                "{} on {}: distance off by {}, path by {}",
                c.walk.name, c.walk.terrain, c.distance_error, c.path_error
            )
        })
        .collect();
    assert!(
        off.len() * 100 <= all.len(),
        "more than 1 %:\n{}",
        off.join("\n")
    );
}

#[test]
fn the_comparison_can_tell() {
    // Another terrain's walk is far off, so agreement is no accident.
    let walk = |terrain: &str| {
        let mut walks = reference::walks().into_iter();
        walks
            .find(|w| w.name == "cppn-fixed" && w.terrain == terrain)
            .expect("in the file")
    };
    assert!((walk("flat").distance - walk("bumpy").distance).abs() > 1.0);
}
