//! Prints how near our walks come to those of Box2D 2.3:
//! `cargo run --release -p sodarace --example box2d_agreement`

#[path = "../tests/reference/mod.rs"]
mod reference;

fn main() {
    let all = reference::compare();
    println!("world units; a perturbed copy differs by 1e-6 at the start\n");
    println!(
        "| walker | terrain | Box2D | Box2D, perturbed | ours | distance error | path error |"
    );
    println!("| --- | --- | ---: | ---: | ---: | ---: | ---: |");
    for c in &all {
        println!(
            "| {} | {} | {:.6} | {:.6} | {:.6} | {:.6} | {:.6} |",
            c.walk.name,
            c.walk.terrain,
            c.walk.distance,
            c.walk.perturbed_distance,
            c.ours,
            c.distance_error,
            c.path_error
        );
    }
    println!();
    for tolerance in [1e-4, 1e-3, 1e-2, 0.1] {
        let within = all.iter().filter(|c| c.within(tolerance)).count();
        println!(
            "within {tolerance}: {within} of {} ({:.1} %)",
            all.len(),
            100.0 * within as f64 / all.len() as f64
        );
    }
}
