//! The walker creator's rules: what a program built, and the walker it is given.
//!
//! The rules protect the physics (Lehman et al. 2022, appendix B, name the
//! first three): a minimum distance between joints, a limit on muscles per
//! joint, a limit on muscle strength, and limits on number and size.

use std::collections::HashSet;

pub use crate::verdict::{Ignored, Rejected};
use crate::walker::{Drive, Muscle, Walker};

/// A joint nearer than this to an earlier one is that joint, in program units.
pub const MIN_JOINT_DISTANCE: f64 = 0.1;
/// Joints past this number are ignored.
pub const MAX_JOINTS: usize = 128;
/// Muscles past this number are ignored.
pub const MAX_MUSCLES: usize = 512;
/// Muscles past this number on one joint are ignored.
pub const MAX_DEGREE: usize = 16;
/// A walker has at least so many joints.
pub const MIN_JOINTS: usize = 3;
/// A walker has at least so many muscles.
pub const MIN_MUSCLES: usize = 3;
/// A walker is at most so wide and so high, in program units: ten times the
/// square seed. Past that single precision and the solver's largest step
/// (2 world units) no longer carry the physics, and falling over would pay
/// more than walking.
pub const MAX_EXTENT: f64 = 100.0;

/// What a program built, call by call, before any rule is applied.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Blueprint {
    /// The `add_joint(x, y)` calls in order, program units. A joint's handle is
    /// the index of its call.
    pub joints: Vec<[f64; 2]>,
    /// The `add_muscle` calls in order.
    pub muscles: Vec<RawMuscle>,
}

/// One `add_muscle` call.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RawMuscle {
    /// Handle of one joint.
    pub a: usize,
    /// Handle of the other joint.
    pub b: usize,
    /// Rigid, or active with the amplitude as the program gave it.
    pub drive: Drive,
}

impl Walker {
    /// Applies the creator's rules to what a program built.
    ///
    /// # Errors
    /// [`Rejected`] for numbers that are not finite, muscles on joints that do
    /// not exist, and for what is too small or too large once only the largest
    /// connected piece is left (of equals, the one with the earliest joint).
    pub fn create(blueprint: &Blueprint) -> Result<(Walker, Ignored), Rejected> {
        let mut ignored = Ignored::default();
        let (joints, of_handle) = place_joints(&blueprint.joints, &mut ignored)?;
        let muscles = place_muscles(blueprint, &of_handle, joints.len(), &mut ignored)?;
        let walker = largest_piece(&joints, &muscles, &mut ignored);
        if walker.joints.len() < MIN_JOINTS {
            return Err(Rejected::TooFewJoints {
                found: walker.joints.len(),
            });
        }
        if walker.muscles.len() < MIN_MUSCLES {
            return Err(Rejected::TooFewMuscles {
                found: walker.muscles.len(),
            });
        }
        let behaviour = walker.behaviour();
        let extent = behaviour.width.max(behaviour.height);
        if extent > MAX_EXTENT {
            return Err(Rejected::TooLarge { extent });
        }
        Ok((walker, ignored))
    }
}

/// The joints that stay, and for each handle the joint it stands for.
fn place_joints(
    calls: &[[f64; 2]],
    ignored: &mut Ignored,
) -> Result<(Vec<[f64; 2]>, Vec<usize>), Rejected> {
    let mut joints: Vec<[f64; 2]> = Vec::new();
    let mut of_handle = Vec::with_capacity(calls.len());
    for (joint, p) in calls.iter().enumerate() {
        if !p.iter().all(|c| c.is_finite()) {
            return Err(Rejected::NotFiniteJoint { joint });
        }
        let nearest = nearest(&joints, *p);
        of_handle.push(match nearest {
            Some((at, distance)) if distance < MIN_JOINT_DISTANCE => {
                ignored.joints_merged += 1;
                at
            }
            Some((at, _)) if joints.len() == MAX_JOINTS => {
                ignored.joints_past_limit += 1;
                at
            }
            _ => {
                joints.push(*p);
                joints.len() - 1
            }
        });
    }
    Ok((joints, of_handle))
}

/// The joint nearest to `p` (of equals, the earliest) and its distance.
fn nearest(joints: &[[f64; 2]], p: [f64; 2]) -> Option<(usize, f64)> {
    let distance = |q: &[f64; 2]| libm::hypot(q[0] - p[0], q[1] - p[1]);
    joints
        .iter()
        .map(distance)
        .enumerate()
        .min_by(|a, b| a.1.total_cmp(&b.1))
}

fn place_muscles(
    blueprint: &Blueprint,
    of_handle: &[usize],
    joints: usize,
    ignored: &mut Ignored,
) -> Result<Vec<Muscle>, Rejected> {
    let mut muscles = Vec::new();
    let mut pairs = HashSet::new();
    let mut degree = vec![0; joints];
    for (muscle, raw) in blueprint.muscles.iter().enumerate() {
        let find = |joint: usize| {
            of_handle.get(joint).copied().ok_or(Rejected::UnknownJoint {
                muscle,
                joint,
                joints: of_handle.len(),
            })
        };
        let (a, b) = (find(raw.a)?, find(raw.b)?);
        if let Drive::Active { amplitude, phase } = raw.drive {
            for (field, value) in [("amplitude", amplitude), ("phase", phase)] {
                if !value.is_finite() {
                    return Err(Rejected::NotFiniteMuscle { muscle, field });
                }
            }
        }
        if a == b {
            ignored.muscles_self += 1;
        } else if pairs.contains(&(a.min(b), a.max(b))) {
            ignored.muscles_duplicate += 1;
        } else if degree[a] == MAX_DEGREE || degree[b] == MAX_DEGREE {
            ignored.muscles_past_degree += 1;
        } else if muscles.len() == MAX_MUSCLES {
            ignored.muscles_past_limit += 1;
        } else {
            pairs.insert((a.min(b), a.max(b)));
            degree[a] += 1;
            degree[b] += 1;
            let drive = match raw.drive {
                Drive::Active { amplitude, phase } => {
                    ignored.amplitudes_clamped += u32::from(amplitude.abs() > 1.0);
                    Drive::Active {
                        amplitude: amplitude.clamp(-1.0, 1.0),
                        phase,
                    }
                }
                Drive::Rigid => Drive::Rigid,
            };
            muscles.push(Muscle {
                a: a as u16,
                b: b as u16,
                drive,
            });
        }
    }
    Ok(muscles)
}

/// The largest connected piece, its joints renumbered in order.
fn largest_piece(joints: &[[f64; 2]], muscles: &[Muscle], ignored: &mut Ignored) -> Walker {
    // The piece of each joint, named by its earliest joint. At most 128 joints:
    // repeated sweeps are simpler than a union-find and as fast.
    let mut piece: Vec<usize> = (0..joints.len()).collect();
    loop {
        let mut changed = false;
        for m in muscles {
            let (a, b) = (usize::from(m.a), usize::from(m.b));
            let least = piece[a].min(piece[b]);
            changed |= piece[a] != least || piece[b] != least;
            (piece[a], piece[b]) = (least, least);
        }
        if !changed {
            break;
        }
    }
    let size = |name: usize| piece.iter().filter(|p| **p == name).count();
    let Some(largest) = (0..joints.len()).rev().max_by_key(|name| size(*name)) else {
        return Walker::default();
    };

    let mut walker = Walker::default();
    let mut renumbered = vec![0; joints.len()];
    for (joint, p) in joints.iter().enumerate() {
        if piece[joint] == largest {
            renumbered[joint] = walker.joints.len() as u16;
            walker.joints.push(*p);
        }
    }
    for m in muscles {
        if piece[usize::from(m.a)] == largest {
            walker.muscles.push(Muscle {
                a: renumbered[usize::from(m.a)],
                b: renumbered[usize::from(m.b)],
                drive: m.drive,
            });
        }
    }
    ignored.joints_loose = (joints.len() - walker.joints.len()) as u32;
    ignored.muscles_loose = (muscles.len() - walker.muscles.len()) as u32;
    walker
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rigid(a: usize, b: usize) -> RawMuscle {
        RawMuscle {
            a,
            b,
            drive: Drive::Rigid,
        }
    }

    fn triangle() -> Blueprint {
        Blueprint {
            joints: vec![[0.0, 0.0], [2.0, 0.0], [0.0, 2.0]],
            muscles: vec![rigid(0, 1), rigid(1, 2), rigid(2, 0)],
        }
    }

    #[test]
    fn triangle_passes_untouched() {
        let (walker, ignored) = Walker::create(&triangle()).unwrap();
        assert_eq!(walker.joints.len(), 3);
        assert_eq!(walker.muscles.len(), 3);
        assert_eq!(ignored, Ignored::default());
        assert_eq!(ignored.to_string(), "none");
    }

    #[test]
    fn near_joints_are_one_and_their_muscles_follow() {
        let mut b = triangle();
        b.joints.push([2.05, 0.0]); // handle 3 stands for joint 1
        b.muscles.push(rigid(3, 1)); // from a joint to itself
        b.muscles.push(rigid(0, 3)); // second between the same two
        b.joints.push([3.0, 3.0]); // handle 4 is joint 3
        b.muscles.push(rigid(4, 3));
        let (walker, ignored) = Walker::create(&b).unwrap();
        assert_eq!(walker.joints.len(), 4);
        assert_eq!((walker.muscles[3].a, walker.muscles[3].b), (3, 1));
        assert_eq!(
            ignored.to_string(),
            "joints_merged 1, muscles_self 1, muscles_duplicate 1"
        );
    }

    #[test]
    fn largest_piece_stays_and_of_equals_the_earliest() {
        let mut b = triangle();
        b.joints.insert(0, [50.0, 0.0]); // loose, first
        for m in &mut b.muscles {
            (m.a, m.b) = (m.a + 1, m.b + 1);
        }
        for [x, y] in triangle().joints {
            b.joints.push([x + 9.0, y]);
        }
        b.muscles.extend([rigid(4, 5), rigid(5, 6), rigid(6, 4)]);
        let (walker, ignored) = Walker::create(&b).unwrap();
        assert_eq!(walker, Walker::create(&triangle()).unwrap().0);
        assert_eq!((ignored.joints_loose, ignored.muscles_loose), (4, 3));
    }

    #[test]
    fn limits_ignore_and_count() {
        let mut b = Blueprint::default();
        for i in 0..140 {
            b.joints.push([f64::from(i % 14), f64::from(i / 14)]);
        }
        for i in 0..140 {
            b.muscles.push(rigid(0, i)); // a star: the hub takes 16
        }
        for step in 1..9 {
            for i in 1..128 - step {
                b.muscles.push(rigid(i, i + step));
            }
        }
        let (walker, ignored) = Walker::create(&b).unwrap();
        assert_eq!(walker.joints.len(), MAX_JOINTS);
        assert_eq!(walker.muscles.len(), MAX_MUSCLES);
        assert_eq!(ignored.joints_past_limit, 12);
        assert!(ignored.muscles_past_degree > 100 && ignored.muscles_past_limit > 0);
        let hub = walker.muscles.iter().filter(|m| m.a == 0 || m.b == 0);
        assert_eq!(hub.count(), MAX_DEGREE);
    }

    #[test]
    fn amplitude_is_clamped() {
        let mut b = triangle();
        b.muscles[0].drive = Drive::Active {
            amplitude: -5.0,
            phase: 7.5,
        };
        let (walker, ignored) = Walker::create(&b).unwrap();
        assert_eq!(
            walker.muscles[0].drive,
            Drive::Active {
                amplitude: -1.0,
                phase: 7.5
            }
        );
        assert_eq!(ignored.amplitudes_clamped, 1);
    }

    #[test]
    fn rejections_name_the_place() {
        let reason = |change: fn(&mut Blueprint)| {
            let mut b = triangle();
            change(&mut b);
            let e = Walker::create(&b).unwrap_err();
            (e.reason(), e.to_string())
        };
        let (r, m) = reason(|b| b.joints[1][1] = f64::NAN);
        assert_eq!(r, "not-finite");
        assert!(m.starts_with("joints[1]"), "{m}");
        let (r, m) = reason(|b| {
            b.muscles[2].drive = Drive::Active {
                amplitude: 1.0,
                phase: f64::INFINITY,
            }
        });
        assert_eq!(r, "not-finite");
        assert!(m.starts_with("muscles[2] has a phase"), "{m}");
        let (r, m) = reason(|b| b.muscles[1].b = 9);
        assert_eq!(r, "unknown-joint");
        assert!(m.contains("joint 9"), "{m}");
        assert_eq!(reason(|b| b.muscles.clear()).0, "too-few-joints");
        assert_eq!(reason(|b| b.muscles.truncate(2)).0, "too-few-muscles");
        assert_eq!(reason(|b| b.joints[1][0] = 1e308).0, "too-large");
        assert_eq!(
            Walker::create(&Blueprint::default()).unwrap_err().reason(),
            "too-few-joints"
        );
    }
}
