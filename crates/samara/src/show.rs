//! `samara config`, `walker`, `simulate` and `render`: single walkers.

use std::path::Path;

use anyhow::{Context, anyhow};
use domains::walkers::{self, Settings, Walkers};
use evolve::store::{Child, Store};
use serde_json::json;
use sodarace::creator::Ignored;
use sodarace::{STEPS_PER_SECOND, Terrain, Walker, render as draw};

use crate::cli::{RenderArgs, SimulateArgs, WalkArgs, WalkerArgs};
use crate::settings::{COMMENTED, of_stored, of_walkers};
use crate::{Done, Failure, say};

/// Prints the commented configuration.
pub fn config() -> Done {
    Ok(say!("{}", COMMENTED.trim_end())?)
}

/// Runs a program and prints its walker.
pub fn walker(args: &WalkerArgs) -> Done {
    let table = args.common.settings().map_err(Failure::usage)?;
    let settings = of_walkers(&table).map_err(Failure::usage)?;
    let program = match run_and_id(&args.program) {
        Some((run, id)) => child(run, id)?.1.program,
        None => walkers::program(&args.program).map_err(Failure::usage)?,
    };
    let made = Walkers::new(&settings).walker_maker()?.walker(&program);
    let (walker, ignored) = match made {
        Ok(made) => made,
        Err(reason) => {
            if args.json {
                say!(
                    "{}",
                    json!({"ok": false, "reason": reason.code, "message": reason.message})
                )?;
            }
            return Err(anyhow!("{}: {}: {}", args.program, reason.code, reason.message).into());
        }
    };
    let behaviour = walker.behaviour();
    if args.json {
        let line =
            json!({"ok": true, "walker": walker, "behaviour": behaviour, "ignored": ignored});
        return Ok(say!("{line}")?);
    }
    describe(&walker, ignored)?;
    Ok(())
}

fn describe(walker: &Walker, ignored: Ignored) -> std::io::Result<()> {
    let b = walker.behaviour();
    say!("joints    {}", walker.joints.len())?;
    say!("muscles   {}", walker.muscles.len())?;
    say!("height    {:.3}", b.height)?;
    say!("width     {:.3}", b.width)?;
    say!("mass      {:.3}", b.mass)?;
    say!("ignored   {ignored}")?;
    for (i, [x, y]) in walker.joints.iter().enumerate() {
        say!("joint     {i:>3}  ({x:.3}, {y:.3})")?;
    }
    for muscle in &walker.muscles {
        match muscle.drive {
            sodarace::Drive::Rigid => say!("muscle    {:>3} - {:<3} rigid", muscle.a, muscle.b)?,
            sodarace::Drive::Active { amplitude, phase } => say!(
                "muscle    {:>3} - {:<3} amplitude {amplitude:.3} phase {phase:.3}",
                muscle.a,
                muscle.b
            )?,
        }
    }
    Ok(())
}

/// Lets a walker walk.
pub fn simulate(args: &SimulateArgs) -> Done {
    let walk = Walk::new(&args.walk)?;
    let every = if args.json { 1 } else { walk.steps.max(1) };
    let trajectory = sodarace::trajectory(&walk.walker, &walk.terrain, walk.steps, every)
        .map_err(|e| anyhow!("{}: {e}", args.walk.walker))?;
    let distance = sodarace::simulate(&[&walk.walker], &walk.terrain, walk.steps)
        .remove(0)
        .map_err(|e| anyhow!("{}: {e}", args.walk.walker))?;
    let seconds = f64::from(walk.steps) / f64::from(STEPS_PER_SECOND);
    if args.json {
        let com: Vec<_> = (0..trajectory.frames.len())
            .map(|i| trajectory.com(i))
            .collect();
        let line = json!({
            "distance": distance,
            "terrain": walk.terrain.name,
            "seconds": seconds,
            "seconds_per_frame": f64::from(every) / f64::from(STEPS_PER_SECOND),
            "com": com,
        });
        return Ok(say!("{line}")?);
    }
    say!(
        "distance  {distance:.3} world units in {seconds} s on {}",
        walk.terrain.name
    )?;
    Ok(())
}

/// Draws a walker.
pub fn render(args: &RenderArgs) -> Done {
    let kind = args.output.extension().and_then(|e| e.to_str());
    let Some(kind @ ("gif" | "svg" | "png")) = kind else {
        return Err(Failure::usage(anyhow!(
            "{}: end the name in .gif, .svg or .png",
            args.output.display()
        )));
    };
    let walk = Walk::new(&args.walk)?;
    let picture = walk.picture(kind, args.moments)?;
    std::fs::write(&args.output, picture)
        .with_context(|| format!("{}: cannot be written", args.output.display()))?;
    Ok(())
}

/// A walker with where and how long it walks.
pub(crate) struct Walk {
    pub walker: Walker,
    pub terrain: Terrain,
    pub steps: u32,
}

impl Walk {
    fn new(args: &WalkArgs) -> Result<Self, Failure> {
        let table = args.common.settings().map_err(Failure::usage)?;
        let mut settings = of_walkers(&table).map_err(Failure::usage)?;
        let mut terrain = None;
        let walker = match run_and_id(&args.walker) {
            Some((run, id)) => {
                let (store, child) = child(run, id)?;
                let own = Self::of(&store, &child)?;
                settings = of_run(&store)?;
                terrain = Some(own.terrain);
                own.walker
            }
            None => load(&args.walker, &settings)?,
        };
        if let Some(name) = &args.terrain {
            terrain = Some(walkers::terrain(name).map_err(Failure::usage)?);
        }
        let terrain = match terrain {
            Some(terrain) => terrain,
            None => walkers::terrain(&settings.sodarace.terrain).map_err(Failure::usage)?,
        };
        if let Some(seconds) = args.seconds {
            settings.sodarace.seconds = seconds;
        }
        settings.check().map_err(Failure::usage)?;
        Ok(Self {
            walker,
            terrain,
            steps: settings.steps(),
        })
    }

    /// The walk that a child of a run was judged by.
    ///
    /// # Errors
    /// The child made no walker.
    pub(crate) fn of(store: &Store, child: &Child) -> anyhow::Result<Self> {
        let name = || format!("{}:{}", store.folder().display(), child.id);
        let artifact = child.artifact.as_ref().ok_or_else(|| {
            let why = child.reason.as_ref().map_or("", |r| r.message.as_str());
            anyhow!("{}: this child made no walker: {why}", name())
        })?;
        Ok(Self {
            walker: serde_json::from_str(artifact)
                .with_context(|| format!("{}: its walker is damaged", name()))?,
            terrain: walkers::terrain_of(store.condition())?,
            steps: of_run(store)?.steps(),
        })
    }

    /// The picture's bytes; a PNG of 2 moments or more shows the walk, of fewer the walker at rest.
    ///
    /// # Errors
    /// The walker explodes, or the picture cannot be made.
    pub(crate) fn picture(&self, kind: &str, moments: usize) -> anyhow::Result<Vec<u8>> {
        if kind == "png" && moments < 2 {
            return Ok(draw::png_still(&self.walker, &self.terrain, draw::WIDTH)?);
        }
        let fps = match kind {
            "gif" => draw::GIF_FPS,
            "svg" => draw::SVG_FPS,
            _ => STEPS_PER_SECOND,
        };
        let every = STEPS_PER_SECOND / fps;
        let trajectory = sodarace::trajectory(&self.walker, &self.terrain, self.steps, every)?;
        let (walker, terrain) = (&self.walker, &self.terrain);
        Ok(match kind {
            "gif" => draw::gif(walker, terrain, &trajectory, draw::WIDTH)?,
            "svg" => draw::svg_animation(walker, terrain, &trajectory)?.into_bytes(),
            _ => draw::png_strip(walker, terrain, &trajectory, moments, 2 * draw::WIDTH)?,
        })
    }
}

/// The domain's settings of a run.
pub(crate) fn of_run(store: &Store) -> Result<Settings, evolve::Error> {
    let (table, _) = of_stored(store.settings());
    of_walkers(&table)
}

/// A walker from a JSON file, or from a program that is run.
fn load(name: &str, settings: &Settings) -> Result<Walker, Failure> {
    if Path::new(name).extension().is_some_and(|e| e == "json") {
        let text = std::fs::read_to_string(name)
            .with_context(|| format!("{name}: cannot be read"))
            .map_err(Failure::usage)?;
        return serde_json::from_str(&text)
            .with_context(|| {
                format!("{name}: not a walker; `samara walker --json` prints one as \"walker\"")
            })
            .map_err(Failure::from);
    }
    let program = walkers::program(name).map_err(Failure::usage)?;
    let (walker, _) = Walkers::new(settings)
        .walker_maker()?
        .walker(&program)
        .map_err(|reason| anyhow!("{name}: {}: {}", reason.code, reason.message))?;
    Ok(walker)
}

/// Splits RUN:ID, where RUN is a folder; what is a file is no RUN:ID, whatever its name.
fn run_and_id(text: &str) -> Option<(&Path, &str)> {
    if Path::new(text).is_file() {
        return None;
    }
    let (run, id) = text.rsplit_once(':')?;
    let run = Path::new(run);
    run.is_dir().then_some((run, id))
}

fn child(run: &Path, id: &str) -> Result<(Store, Child), Failure> {
    let store = Store::open(run)?;
    let child = if id == "best" {
        store.best()?
    } else {
        let id = id.parse().map_err(|_| {
            Failure::usage(anyhow!(
                "{}:{id}: give a child's number, or best",
                run.display()
            ))
        })?;
        store.child(id)?
    };
    let child = child.ok_or_else(|| {
        Failure::usage(anyhow!("{}:{id}: the run has no such child", run.display()))
    })?;
    Ok((store, child))
}
