//! The Sodarace domain: a Python program makes a walker, the walker walks.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pyrun::{EntryRule, HostModule, Runner, Value};
use qd::Axis;
use sodarace::creator::{Blueprint, Ignored, RawMuscle};
use sodarace::{Course, Drive, Exploded, Rig, STEPS_PER_SECOND, Terrain, Walker};

use crate::domain::{Domain, Evaluation, Evaluator, Outcome};
use crate::settings::Settings;
use crate::{Error, Reason};
use memory::Memory;

mod memory;

/// The Python that programs find ready: `walker_creator`, `query_cppn` and a scalar numpy.
const PRELUDE: &str = include_str!("prelude.py");

/// The seed programs by name (Lehman et al. 2022, appendix B).
pub const SEEDS: [(&str, &str); 4] = [
    ("square", include_str!("../../../seeds/square.py")),
    ("radial", include_str!("../../../seeds/radial.py")),
    ("cppn-fixed", include_str!("../../../seeds/cppn-fixed.py")),
    (
        "cppn-mutable",
        include_str!("../../../seeds/cppn-mutable.py"),
    ),
];

/// The text of a seed program, by name or from a file.
///
/// # Errors
/// Neither a seed nor a readable file.
pub fn program(name: &str) -> Result<String, Error> {
    if let Some((_, text)) = SEEDS.iter().find(|(known, _)| *known == name) {
        return Ok((*text).to_owned());
    }
    let names: Vec<_> = SEEDS.iter().map(|(name, _)| *name).collect();
    std::fs::read_to_string(name).map_err(|e| {
        Error::file(
            name,
            e,
            format!("give a Python file or one of: {}", names.join(", ")),
        )
    })
}

/// A terrain by name or from a file (TOML, or JSON where its name ends in .json).
///
/// # Errors
/// Neither a known terrain nor a file that holds one.
pub fn terrain(name: &str) -> Result<Terrain, Error> {
    let path = Path::new(name);
    let is_file = path.extension().is_some_and(|e| e == "toml" || e == "json");
    if !is_file {
        return Terrain::by_name(name).map_err(|e| {
            Error::setting(
                "sodarace.terrain",
                e.to_string(),
                "or give a .toml or .json file",
            )
        });
    }
    let mend = "see docs/terrains.md for what a terrain file holds";
    let text = std::fs::read_to_string(path).map_err(|e| Error::file(path, e, mend))?;
    let parsed = if path.extension().is_some_and(|e| e == "json") {
        serde_json::from_str(&text).map_err(|e| e.to_string())
    } else {
        toml::from_str(&text).map_err(|e| e.to_string())
    };
    parsed.map_err(|e| Error::file(path, e, mend))
}

/// The domain: how programs are run and where walkers walk.
#[derive(Clone)]
pub struct Walkers {
    python: pyrun::Config,
    terrain: Terrain,
    steps: u32,
    axes: Vec<Axis>,
    memory: Arc<Memories>,
}

/// What this domain's evaluators have found out, for each other: children of one parent are often alike.
struct Memories {
    evaluations: Memory<String, Evaluation>,
    walks: Memory<Rig, Result<f64, Exploded>>,
}

/// What either memory may take, in bytes: a few iterations' worth.
const MEMORY: usize = 32 << 20;

impl Memories {
    fn new() -> Self {
        let evaluation = |program: &String, evaluation: &Evaluation| {
            let chance = matches!(&evaluation.outcome, Outcome::Unrunnable(why) if BY_CHANCE.contains(&&*why.code));
            let artifact = evaluation.artifact.as_ref().map_or(0, String::len);
            (!chance).then_some(program.len() + artifact + size_of::<Evaluation>())
        };
        Self {
            evaluations: Memory::new(MEMORY, evaluation),
            walks: Memory::new(MEMORY, |rig, _| Some(rig.size())),
        }
    }
}

/// Failures that a busy machine may bring about: the next time, the program may have more luck.
const BY_CHANCE: [&str; 4] = ["time", "memory", "no-python", "crashed"];

impl Walkers {
    /// The domain as the settings describe it, on the terrain given.
    pub fn new(settings: &Settings, terrain: Terrain) -> Self {
        let python = settings.python.runner(HostModule {
            prelude: PRELUDE.to_owned(),
            modules: [("walk_creator", "_walk_creator"), ("numpy", "_numpy")]
                .map(|(module, name)| (module.to_owned(), name.to_owned()))
                .to_vec(),
            entry: EntryRule {
                exact: "make_walker".to_owned(),
                prefixes: vec!["make".to_owned(), "walk".to_owned()],
            },
        });
        Self {
            python,
            terrain,
            steps: steps(settings.sodarace.seconds),
            axes: settings.axes().to_vec(),
            memory: Arc::new(Memories::new()),
        }
    }

    /// Replaces the command that starts a worker process (by default this binary itself).
    pub fn with_worker(mut self, command: Vec<std::ffi::OsString>) -> Self {
        self.python.worker = command;
        self
    }

    /// An evaluator, also to run single programs.
    ///
    /// # Errors
    /// The Python runner cannot start.
    pub fn walker_maker(&self) -> Result<WalkerMaker, Error> {
        let runner =
            Runner::new(self.python.clone()).map_err(|e| Error::Evaluator(e.to_string()))?;
        Ok(WalkerMaker {
            runner,
            course: Course::new(&self.terrain),
            steps: self.steps,
            memory: self.memory.clone(),
        })
    }
}

/// Simulation steps in a time.
pub fn steps(seconds: f64) -> u32 {
    (seconds * f64::from(STEPS_PER_SECOND)).round() as u32
}

impl Domain for Walkers {
    fn axes(&self) -> Vec<Axis> {
        self.axes.clone()
    }

    fn evaluator(&self) -> Result<Box<dyn Evaluator>, Error> {
        Ok(Box::new(self.walker_maker()?))
    }
}

/// Runs programs into walkers and lets them walk.
pub struct WalkerMaker {
    runner: Runner,
    course: Course,
    steps: u32,
    memory: Arc<Memories>,
}

impl WalkerMaker {
    /// The walker that a program makes, and what the creator took from it.
    ///
    /// # Errors
    /// The program fails, or what it returns is no walker.
    pub fn walker(&mut self, program: &str) -> Result<(Walker, Ignored), Reason> {
        let value = self
            .runner
            .run(program)
            .map_err(|failure| Reason::new(failure.reason(), failure.to_string()))?;
        let blueprint = blueprint(&value).map_err(|why| Reason::new("not-a-walker", why))?;
        Walker::create(&blueprint).map_err(|e| Reason::new(e.reason(), e.to_string()))
    }
}

impl Evaluator for WalkerMaker {
    fn evaluate(&mut self, programs: &[&str]) -> Vec<Evaluation> {
        let memory = self.memory.clone();
        let found = memory
            .evaluations
            .recall(programs, |fresh| self.evaluate_all(fresh));
        found
            .into_iter()
            .map(|(evaluation, fresh)| Evaluation {
                time: if fresh {
                    evaluation.time
                } else {
                    Duration::ZERO
                },
                ..evaluation
            })
            .collect()
    }
}

impl WalkerMaker {
    /// Evaluates programs that nothing is known of.
    fn evaluate_all(&mut self, programs: &[&str]) -> Vec<Evaluation> {
        let made: Vec<_> = programs
            .iter()
            .map(|program| {
                let began = Instant::now();
                (self.walker(program), began.elapsed())
            })
            .collect();
        let began = Instant::now();
        let walkers = made.iter().filter_map(|(made, _)| made.as_ref().ok());
        let rigs: Vec<Rig> = walkers.map(|(walker, _)| self.course.rig(walker)).collect();
        let rigs: Vec<&Rig> = rigs.iter().collect();
        let walk = |fresh: &[&Rig]| self.course.walk(fresh, self.steps);
        let mut walks = self.memory.walks.recall(&rigs, walk).into_iter();
        let share = began.elapsed() / rigs.len().max(1) as u32;
        made.iter()
            .map(|(made, time)| match made {
                Err(reason) => Evaluation {
                    outcome: Outcome::Unrunnable(reason.clone()),
                    artifact: None,
                    time: *time,
                },
                Ok((walker, _)) => {
                    let outcome = match walks.next().expect("one walk per walker").0 {
                        Ok(fitness) => {
                            let b = walker.behaviour();
                            Outcome::Scored {
                                measures: vec![b.height, b.width, b.mass],
                                fitness,
                            }
                        }
                        Err(e) => Outcome::Unscored(Reason::new("exploded", e.to_string())),
                    };
                    Evaluation {
                        outcome,
                        artifact: Some(serde_json::to_string(walker).expect("plain data")),
                        time: *time + share,
                    }
                }
            })
            .collect()
    }
}

/// Reads the dict that `get_walker()` returns ("joints" and "muscles"), which a program may also
/// have built by hand.
fn blueprint(value: &Value) -> Result<Blueprint, String> {
    let joints = items(field(value, "joints", "the result")?, "joints")?
        .iter()
        .enumerate()
        .map(|(i, joint)| match items(joint, &format!("joints[{i}]"))? {
            [x, y] => Ok([
                number(x, || format!("joints[{i}][0]"))?,
                number(y, || format!("joints[{i}][1]"))?,
            ]),
            other => Err(format!("joints[{i}] has {} numbers, not 2", other.len())),
        })
        .collect::<Result<_, _>>()?;
    let muscles = items(field(value, "muscles", "the result")?, "muscles")?
        .iter()
        .enumerate()
        .map(|(i, muscle)| {
            let name = format!("muscles[{i}]");
            let [a, b, kind] = items(muscle, &name)? else {
                return Err(format!("{name} is not [joint, joint, kind]"));
            };
            let drive = match field(kind, "type", &name)? {
                Value::Str(kind) if kind == "distance" => Drive::Rigid,
                Value::Str(kind_name) if kind_name == "muscle" => {
                    let part =
                        |part| number(field(kind, part, &name)?, || format!("{name}'s {part}"));
                    Drive::Active {
                        amplitude: part("amplitude")?,
                        phase: part("phase")?,
                    }
                }
                other => return Err(format!("{name} is of an unknown type {other:?}")),
            };
            Ok(RawMuscle {
                a: handle(a, &name)?,
                b: handle(b, &name)?,
                drive,
            })
        })
        .collect::<Result<_, _>>()?;
    Ok(Blueprint { joints, muscles })
}

fn field<'a>(value: &'a Value, name: &str, of: &str) -> Result<&'a Value, String> {
    let Value::Dict(entries) = value else {
        return Err(format!("{of} is not a dict, as get_walker() returns it"));
    };
    entries
        .iter()
        .find(|(key, _)| matches!(key, Value::Str(key) if key == name))
        .map(|(_, value)| value)
        .ok_or_else(|| format!("{of} has no {name:?}"))
}

fn items<'a>(value: &'a Value, name: &str) -> Result<&'a [Value], String> {
    match value {
        Value::List(items) | Value::Tuple(items) => Ok(items),
        _ => Err(format!("{name} is not a list")),
    }
}

fn number(value: &Value, name: impl FnOnce() -> String) -> Result<f64, String> {
    match value {
        Value::Bool(b) => Ok(f64::from(u8::from(*b))),
        Value::Int(i) => Ok(*i as f64),
        Value::Float(f) => Ok(*f),
        _ => Err(format!("{} is not a number", name())),
    }
}

fn handle(value: &Value, name: &str) -> Result<usize, String> {
    match value {
        Value::Int(i) if *i >= 0 => Ok(*i as usize),
        _ => Err(format!(
            "{name} names a joint by something that is not its handle"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dict(entries: &[(&str, Value)]) -> Value {
        Value::Dict(
            entries
                .iter()
                .map(|(k, v)| (Value::Str((*k).to_owned()), v.clone()))
                .collect(),
        )
    }

    #[test]
    fn reads_what_get_walker_returns() {
        let muscle = |kind| Value::List(vec![Value::Int(0), Value::Int(1), kind]);
        let value = dict(&[
            (
                "joints",
                Value::List(vec![
                    Value::Tuple(vec![Value::Int(1), Value::Float(2.5)]),
                    Value::Tuple(vec![Value::Bool(true), Value::Int(0)]),
                ]),
            ),
            (
                "muscles",
                Value::List(vec![
                    muscle(dict(&[("type", Value::Str("distance".into()))])),
                    muscle(dict(&[
                        ("type", Value::Str("muscle".into())),
                        ("amplitude", Value::Int(5)),
                        ("phase", Value::Float(0.25)),
                    ])),
                ]),
            ),
        ]);
        let blueprint = blueprint(&value).unwrap();
        assert_eq!(blueprint.joints, [[1.0, 2.5], [1.0, 0.0]]);
        assert_eq!(blueprint.muscles[0].drive, Drive::Rigid);
        let active = Drive::Active {
            amplitude: 5.0,
            phase: 0.25,
        };
        assert_eq!(blueprint.muscles[1].drive, active);
    }

    #[test]
    fn says_what_is_not_a_walker() {
        let why = |value| blueprint(&value).unwrap_err();
        assert!(why(Value::None).contains("not a dict"));
        assert!(why(dict(&[])).contains("joints"));
        let joint = Value::List(vec![Value::Tuple(vec![Value::Int(1)])]);
        assert!(why(dict(&[("joints", joint)])).contains("joints[0]"));
        let muscles = Value::List(vec![Value::Int(3)]);
        let value = dict(&[("joints", Value::List(vec![])), ("muscles", muscles)]);
        assert!(why(value).contains("muscles[0]"));
    }
}
