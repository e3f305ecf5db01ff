//! The reference: walks of real Box2D 2.3 on the same walkers and terrains
//! (`tests/data/box2d.json`), and how near ours come.

#![allow(dead_code)] // each test uses its part

use serde::Deserialize;
use sodarace::{Blueprint, Drive, RawMuscle, Terrain, Walker, trajectory};

/// One walk of Box2D, as the file holds it.
#[derive(Deserialize)]
pub struct Walk {
    pub name: String,
    pub terrain: String,
    joints: Vec<[f64; 2]>,
    muscles: Vec<Spring>,
    /// How far the centre of mass moved along x.
    pub distance: f64,
    /// The same of a copy displaced by 1e-6: far from `distance` if chaotic.
    pub perturbed_distance: f64,
    /// Centre of mass at the start and then every ten steps.
    com: Vec<[f64; 2]>,
}

#[derive(Deserialize)]
struct Spring {
    a: usize,
    b: usize,
    rigid: bool,
    amplitude: Option<f64>,
    phase: Option<f64>,
}

#[derive(Deserialize)]
struct File {
    meta: Meta,
    walkers: Vec<Walk>,
}

#[derive(Deserialize)]
struct Meta {
    steps: u32,
    com_recorded_every_steps: u32,
}

/// How far our walk is from Box2D's, world units.
pub struct Comparison {
    pub walk: Walk,
    /// Our distance walked.
    pub ours: f64,
    /// Difference of the distances walked.
    pub distance_error: f64,
    /// Largest distance between the centres of mass on the way.
    pub path_error: f64,
}

impl Comparison {
    /// Whether both errors stay within `tolerance`.
    pub fn within(&self, tolerance: f64) -> bool {
        self.distance_error <= tolerance && self.path_error <= tolerance
    }
}

impl Walk {
    /// The walker, which must pass the creator untouched.
    pub fn walker(&self) -> Walker {
        let muscles = self.muscles.iter().map(|m| RawMuscle {
            a: m.a,
            b: m.b,
            drive: match (m.rigid, m.amplitude, m.phase) {
                (false, Some(amplitude), Some(phase)) => Drive::Active { amplitude, phase },
                _ => Drive::Rigid,
            },
        });
        let blueprint = Blueprint {
            joints: self.joints.clone(),
            muscles: muscles.collect(),
        };
        let (walker, ignored) = Walker::create(&blueprint).expect("a walker");
        assert_eq!(ignored.to_string(), "none", "{}", self.name);
        walker
    }
}

/// All walks of the file.
pub fn walks() -> Vec<Walk> {
    file().walkers
}

fn file() -> File {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/box2d.json");
    let text = std::fs::read_to_string(path).expect("tests/data/box2d.json");
    serde_json::from_str(&text).expect("tests/data/box2d.json")
}

/// Walks every walk of the file again.
pub fn compare() -> Vec<Comparison> {
    let file = file();
    let Meta {
        steps,
        com_recorded_every_steps: every,
    } = file.meta;
    let compare = |walk: Walk| {
        let terrain = Terrain::by_name(&walk.terrain).expect("a built-in terrain");
        let ours = trajectory(&walk.walker(), &terrain, steps, every).expect("a walk");
        assert_eq!(ours.frames.len(), walk.com.len());
        let apart = |(frame, theirs): (usize, &[f64; 2])| {
            let com = ours.com(frame);
            (com[0] - theirs[0]).hypot(com[1] - theirs[1])
        };
        let path_error = walk.com.iter().enumerate().map(apart).fold(0.0, f64::max);
        let last = ours.frames.len() - 1;
        let distance = (ours.com(last)[0] - ours.com(0)[0]).abs();
        Comparison {
            distance_error: (distance - walk.distance).abs(),
            ours: distance,
            path_error,
            walk,
        }
    };
    file.walkers.into_iter().map(compare).collect()
}
