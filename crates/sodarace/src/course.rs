//! A terrain prepared for the solver: line segments in single precision.

use crate::terrain::Terrain;

/// Skin that Box2D puts around edges, world units (twice its linear slop).
pub(crate) const SKIN: f32 = 2.0 * 0.005;
/// What Box2D adds to every box of the broad phase, world units.
pub(crate) const MARGIN: f32 = 0.1;

/// A terrain prepared for the solver. Preparing one costs microseconds; do it
/// once per terrain and share it between threads.
#[derive(Clone, Debug)]
pub struct Course {
    pub(crate) terrain: Terrain,
    /// Ground from left to right, then ceiling from left to right.
    segments: Vec<Segment>,
    /// How many of them are ground.
    grounds: usize,
    /// Boxes between these heights touch no ground and no ceiling.
    clear: (f32, f32),
}

/// One piece of ground or ceiling.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Segment {
    pub a: [f32; 2],
    pub b: [f32; 2],
    /// The box that the broad phase knows it by.
    pub fat: Aabb,
}

/// An axis-aligned box.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Aabb {
    pub min: [f32; 2],
    pub max: [f32; 2],
}

impl Aabb {
    /// Whether two boxes share a point.
    #[inline(always)]
    pub fn overlaps(&self, other: &Aabb) -> bool {
        self.min[0] <= other.max[0]
            && self.min[1] <= other.max[1]
            && other.min[0] <= self.max[0]
            && other.min[1] <= self.max[1]
    }
}

impl Course {
    /// Prepares a terrain.
    pub fn new(terrain: &Terrain) -> Course {
        let mut segments = Vec::new();
        for line in [&terrain.ground, &terrain.ceiling] {
            for corners in line.windows(2) {
                segments.push(Segment::new(corners[0], corners[1]));
            }
        }
        let grounds = terrain.ground.len().saturating_sub(1);
        let (ground, ceiling) = segments.split_at(grounds);
        let top = |top: f32, s: &Segment| top.max(s.fat.max[1]);
        let bottom = |bottom: f32, s: &Segment| bottom.min(s.fat.min[1]);
        let clear = (
            ground.iter().fold(f32::NEG_INFINITY, top),
            ceiling.iter().fold(f32::INFINITY, bottom),
        );
        Course {
            terrain: terrain.clone(),
            segments,
            grounds,
            clear,
        }
    }

    #[inline(always)]
    pub(crate) fn segment(&self, index: u32) -> &Segment {
        &self.segments[index as usize]
    }

    /// The segments whose boxes overlap `fat`, in ascending order.
    pub(crate) fn query(&self, fat: &Aabb) -> impl Iterator<Item = u32> {
        let (ground, ceiling) = self.segments.split_at(self.grounds);
        let clear = fat.min[1] > self.clear.0 && fat.max[1] < self.clear.1;
        [(ground, 0), (ceiling, self.grounds)]
            .into_iter()
            .filter(move |_| !clear)
            .flat_map(move |(line, offset)| {
                // Boxes of a line that never runs backwards are sorted by both ends.
                let first = line.partition_point(|s| s.fat.max[0] < fat.min[0]);
                line[first..]
                    .iter()
                    .take_while(move |s| s.fat.min[0] <= fat.max[0])
                    .zip(first + offset..)
                    .filter(move |(s, _)| s.fat.overlaps(fat))
                    .map(|(_, index)| index as u32)
            })
    }
}

impl Segment {
    fn new(a: [f64; 2], b: [f64; 2]) -> Segment {
        let (a, b) = (a.map(|c| c as f32), b.map(|c| c as f32));
        let fat = Aabb {
            min: std::array::from_fn(|i| a[i].min(b[i]) - SKIN - MARGIN),
            max: std::array::from_fn(|i| a[i].max(b[i]) + SKIN + MARGIN),
        };
        Segment { a, b, fat }
    }
}
