//! Tunnels (Lehman et al. 2022, appendix I): an inventor learns some heights, and is asked for those between, too. Does the walkers' height follow?

use std::path::Path;

use anyhow::Context;
use evolve::store::Store;

use super::Stage;
use crate::cli::Stage3Args;
use crate::figures::stage3::Height;
use crate::figures::{Labels, Series, curves};
use crate::reproduce::stage2;
use crate::stats::ratio;
use crate::study::write;
use crate::{Done, Failure};

/// Programs of a tunnel that it learns first.
const PAIRS: &str = "200";
/// Programs of the dataset that are tried in a tunnel, by the number of samples, at most.
const PAIRS_OF: u64 = 4;

/// A tunnel that an inventor is asked for.
#[derive(Clone, Copy)]
pub(super) struct Tunnel {
    pub height: f64,
    /// Whether the inventor has learned it.
    pub is_learned: bool,
}

impl Tunnel {
    fn terrain(self) -> String {
        format!("tunnel:{}", self.height)
    }
}

/// Those to be learned, and between each two of them one that is not.
pub(super) fn tunnels(args: &Stage3Args) -> Vec<Tunnel> {
    let learned = &args.heights.0;
    let mut all: Vec<Tunnel> = Vec::new();
    for height in learned {
        if let Some(last) = all.last() {
            all.push(Tunnel {
                height: (last.height + height) / 2.0,
                is_learned: false,
            });
        }
        all.push(Tunnel {
            height: *height,
            is_learned: true,
        });
    }
    all
}

/// The inventor of these tunnels.
fn named(tunnels: &[Tunnel]) -> String {
    let learned = tunnels.iter().filter(|tunnel| tunnel.is_learned);
    let heights: Vec<String> = learned.map(|tunnel| tunnel.height.to_string()).collect();
    format!("tunnels-{}", heights.join("-"))
}

impl Stage<'_> {
    /// An inventor by vision that first learns the best of the dataset in each of some tunnels, then invents for them, and is asked for those between.
    pub(super) fn between(&mut self, tunnels: &[Tunnel]) -> Done {
        let (quality, name) = (self.args.quality[0], named(tunnels));
        let data = self.data(quality);
        let most = stage2::different(Path::new(&data))?.min(PAIRS_OF * self.args.samples);
        let mut runs = Vec::new();
        for tunnel in tunnels.iter().filter(|tunnel| tunnel.is_learned) {
            let terrain = tunnel.terrain();
            self.work
                .step(&format!("programs of the dataset in {terrain}"))?;
            let run = self.sampled("pairs", quality, &terrain);
            self.work
                .sample(&data, &run, most, &["--terrain", &terrain])?;
            runs.push(run);
        }
        self.work.step("the best of them")?;
        let pairs = self.work.path(&[&format!("pairs-{name}")]);
        self.work.dataset(&pairs, &runs, 0.0)?;
        let model = self.work.path(&["models", &name]);
        self.work.step("inventor of tunnels")?;
        if !Path::new(&model).join("card.json").exists() {
            let learned = tunnels.iter().filter(|tunnel| tunnel.is_learned);
            let terrains: Vec<String> = learned.map(|tunnel| tunnel.terrain()).collect();
            let more = [
                "--ten",
                "vision",
                "--pairs",
                &pairs,
                "--pairs-per-terrain",
                PAIRS,
            ];
            self.invents(quality, &model, &terrains.join(","), 0, &more)?;
        }
        for tunnel in tunnels {
            let terrain = tunnel.terrain();
            self.work
                .step(&format!("inventor of tunnels on {terrain}"))?;
            let run = self.written(&name, &terrain);
            self.work.sample(
                &model,
                &run,
                self.args.samples,
                &["--terrain", &terrain, "--free"],
            )?;
        }
        Ok(())
    }

    /// How high walkers are that were written for tunnels.
    pub(super) fn heights(&self) -> Result<Vec<Height>, Failure> {
        let all = tunnels(self.args);
        let name = named(&all);
        let all = all.into_iter().map(|tunnel| {
            let terrain = tunnel.terrain();
            let written = walkers_of(&self.written(&name, &terrain), false)?;
            let taught = match tunnel.is_learned {
                false => None,
                // As many of the best that a map took as were learned.
                true => {
                    let run = self.sampled("pairs", self.args.quality[0], &terrain);
                    let most = PAIRS.parse().expect("a number");
                    let best = walkers_of(&run, true)?.into_iter().take(most);
                    Some(mean_of(best.map(|(height, _)| height)))
                }
            };
            // The tenth that walks farthest.
            let best = written.len().div_ceil(10);
            Ok(Height {
                tunnel: tunnel.height,
                is_learned: tunnel.is_learned,
                taught,
                walkers: written.len() as u64,
                height: mean_of(written.iter().map(|(height, _)| *height)),
                of_best: mean_of(written.iter().take(best).map(|(height, _)| *height)),
                distance: mean_of(written.iter().map(|(_, distance)| *distance)),
            })
        });
        all.collect()
    }

    pub(super) fn heights_chart(&self, heights: &[Height]) -> Result<String, Failure> {
        let series = |name: &str, height: fn(&Height) -> Option<f64>| Series {
            name: name.to_owned(),
            points: heights
                .iter()
                .filter_map(|row| Some((row.tunnel, height(row)?)))
                .collect(),
        };
        let all = [
            series("taught", |row| row.taught),
            series("written", |row| Some(row.height)),
            series("the best tenth", |row| Some(row.of_best)),
        ];
        let svg = curves(
            &all,
            &Labels {
                title: "Walkers' height by the tunnel's".to_owned(),
                x: "height of the tunnel, world units".to_owned(),
                y: "mean height of walkers, world units".to_owned(),
                log_y: false,
            },
        );
        write(
            &self.args.output.join("figures/heights.svg"),
            svg.as_bytes(),
        )?;
        Ok(svg)
    }
}

/// The walkers of a run, or those that its map took, by height in world units and distance, the farthest first.
fn walkers_of(run: &str, taken: bool) -> Result<Vec<(f64, f64)>, Failure> {
    let store = Store::open(Path::new(run))?;
    let at = store.axes().iter().position(|axis| axis.name == "height");
    let at = at.context("a map without heights")?;
    let mut all = Vec::new();
    store.each_child(1, u64::MAX, |child| {
        let counts = child.accepted || !taken;
        let told = child.measures.get(at).zip(child.fitness);
        if let Some((height, distance)) = told.filter(|_| counts) {
            all.push((height * sodarace::WORLD_PER_PROGRAM_UNIT, distance));
        }
        Ok(())
    })?;
    all.sort_by(|a, b| b.1.total_cmp(&a.1));
    Ok(all)
}

fn mean_of(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let n = values.len() as f64;
    ratio(values.sum(), n)
}
