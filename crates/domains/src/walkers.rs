//! The Sodarace domain: a Python program makes a walker, the walker walks.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use evolve::Error;
use evolve::domain::{Case, Domain, Evaluation, Evaluator, Outcome};
use mutate::settings::{range, section};
use mutate::{MadeWith, Reason};
use pyrun::{EntryRule, HostModule, Runner, Tier, Value};
use qd::Axis;
use serde::{Deserialize, Serialize};
use sodarace::creator::{Blueprint, Ignored, RawMuscle};
use sodarace::{Course, Drive, Exploded, Rig, STEPS_PER_SECOND, Terrain, Walker};
use toml::Table;

use memory::Memory;

mod memory;

/// The Python that programs find ready: `walker_creator`, `query_cppn` and a scalar numpy.
const PRELUDE: &str = include_str!("walkers/prelude.py");

/// The domain's setting at the top of a configuration file, with its comment and its default.
pub const SEED_SETTING: &str = "\
# The program to start from: square, radial, cppn-fixed, cppn-mutable, or a path to a Python file.
seed = \"square\"
";

/// The domain's sections of the settings (`[sodarace]`, `[map]`, `[brief]`, `[python]`), commented, with all defaults.
pub const SETTINGS: &[&str] = &[
    include_str!("walkers/settings.toml"),
    pyrun::settings::SETTINGS,
];

mutate::codes! {
    /// Why a program makes no walker.
    UNRUNNABLE: "unrunnable";
    SYNTAX "syntax" "not Python",
    NO_ENTRY "no-entry" "no function `make_walker`, and none whose name begins with make or walk",
    EXCEPTION "exception" "the program raised",
    TIME "time" "the limit of [python] on CPU time",
    MEMORY_LIMIT "memory" "the limit of [python] on memory",
    RECURSION "recursion" "the limit of [python] on nested calls",
    OUTPUT_TOO_LARGE "output-too-large" "the limit of [python] on the size of the result",
    FORBIDDEN "forbidden" "it reached for files, the network, a process or a module outside the list",
    UNSUPPORTED "unsupported" "a feature that the chosen Python tier lacks",
    NO_PYTHON "no-python" "the second tier was needed and there is no python3",
    CRASHED "crashed" "the interpreter died of it (the next program has a new one)",
    BAD_RESULT "bad-result" "what it returned is not plain data",
    NOT_A_WALKER "not-a-walker" "plain data, but not what `get_walker()` returns",
    NOT_FINITE "not-finite" "the walker creator was given a number that is not finite",
    UNKNOWN_JOINT "unknown-joint" "a muscle names a joint that is none",
    TOO_FEW_JOINTS "too-few-joints" "of the largest connected piece fewer than three joints are left",
    TOO_FEW_MUSCLES "too-few-muscles" "of the largest connected piece fewer than three muscles are left",
    TOO_LARGE "too-large" "the walker is larger than the creator allows",
}

mutate::codes! {
    /// Why a walker has no score.
    UNSCORED: "unscored";
    NO_TERRAIN "no-terrain" "the terrain that it is tried on cannot be read",
    EXPLODED "exploded" "the simulation left what is physically plausible",
}

/// The section `[sodarace]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "documented for users in settings.toml")]
pub struct Sodarace {
    pub terrain: String,
    pub seconds: f64,
}

/// The section `[map]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "documented for users in settings.toml")]
pub struct Map {
    pub height: Range,
    pub width: Range,
    pub mass: Range,
}

/// One axis of the map.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "documented for users in settings.toml")]
pub struct Range {
    pub low: f64,
    pub high: f64,
    pub bins: u32,
}

/// The domain's settings.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Where and how long walkers walk.
    pub sodarace: Sodarace,
    /// The axes of the map.
    pub map: Map,
    /// How programs are run.
    pub python: pyrun::settings::Settings,
}

impl Settings {
    /// Reads the domain's sections.
    ///
    /// # Errors
    /// Names the setting that is missing, unknown or of the wrong kind.
    pub fn read(settings: &Table) -> Result<Self, Error> {
        Ok(Self {
            sodarace: section(settings, "sodarace")?,
            map: section(settings, "map")?,
            python: section(settings, "python")?,
        })
    }

    /// Checks what the types cannot: ranges.
    ///
    /// # Errors
    /// Names the first setting out of its range, and the range.
    pub fn check(&self) -> Result<(), Error> {
        range("sodarace.seconds", self.sodarace.seconds, 0.1, 3600.0)?;
        for (field, value, low, high) in self.python.bounds() {
            range(field, value, low, high)?;
        }
        qd::GridArchive::<()>::new(self.axes().into())
            .map(drop)
            .map_err(|e| Error::setting("map", e.to_string(), "mend the range of that axis"))
    }

    /// The axes of the map.
    pub fn axes(&self) -> [Axis; 3] {
        let Map {
            height,
            width,
            mass,
        } = &self.map;
        [("height", height), ("width", width), ("mass", mass)].map(|(name, range)| Axis {
            name: name.to_owned(),
            low: range.low,
            high: range.high,
            bins: range.bins,
        })
    }

    /// Simulation steps of a walk.
    pub fn steps(&self) -> u32 {
        (self.sodarace.seconds * f64::from(STEPS_PER_SECOND)).round() as u32
    }
}

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

/// Programs that no run has seen, to be completed by models of the domain (Lehman et al. 2022, section 6): walkers of the paper's three kinds, in our own words.
pub const TARGETS: [(&str, &str); 3] = [
    ("wheel", include_str!("../../../seeds/targets/wheel.py")),
    (
        "galloper",
        include_str!("../../../seeds/targets/galloper.py"),
    ),
    ("runner", include_str!("../../../seeds/targets/runner.py")),
];

/// The text of a seed program, by name or from a file; of a target, too.
///
/// # Errors
/// Neither a seed nor a readable file; one whose bytes are no text.
pub fn program(name: &str) -> Result<String, Error> {
    let known = SEEDS.iter().chain(&TARGETS);
    if let Some((_, text)) = known.clone().find(|(known, _)| *known == name) {
        return Ok((*text).to_owned());
    }
    let names: Vec<_> = known.map(|(name, _)| *name).collect();
    let mend = || format!("give a Python file or one of: {}", names.join(", "));
    let bytes = std::fs::read(name).map_err(|e| Error::file(name, e, mend()))?;
    edit::source::decode(&bytes).map_err(|e| Error::file(name, e, "or give another Python file"))
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
    // Some editors begin a file with a mark.
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let parsed = if path.extension().is_some_and(|e| e == "json") {
        // JSON would also take a list of the fields' values.
        serde_json::from_str::<serde_json::Map<_, _>>(text)
            .and_then(|_| serde_json::from_str(text))
            .map_err(|e| e.to_string())
    } else {
        toml::from_str(text).map_err(|e| e.to_string())
    };
    parsed.map_err(|e| Error::file(path, e, mend))
}

/// The condition under which walkers are tried: a terrain as JSON.
pub fn condition(terrain: &Terrain) -> String {
    serde_json::to_string(terrain).expect("plain data")
}

/// The terrain that a condition holds.
///
/// # Errors
/// It holds none.
pub fn terrain_of(condition: &str) -> Result<Terrain, Error> {
    serde_json::from_str(condition)
        .map_err(|e| Error::Evaluator(format!("the run's terrain is damaged: {e}")))
}

/// The domain: how programs are run and how long walkers walk.
#[derive(Clone)]
pub struct Walkers {
    python: pyrun::Config,
    steps: u32,
    axes: Vec<Axis>,
    places: Arc<Places>,
}

/// Where walkers walk: a course, and what this domain's evaluators have found out on it, for each other, since children
/// of one parent are often alike.
struct Place {
    course: Course,
    evaluations: Memory<String, Evaluation>,
    walks: Memory<Rig, Result<f64, Exploded>>,
}

/// The places so far, by condition.
type Places = Mutex<HashMap<String, Arc<Place>>>;

/// What either memory of a place may take, in bytes: a few iterations' worth.
const MEMORY: usize = 32 << 20;

/// Failures that a busy machine may bring about: the next time, the program may have more luck.
const BY_CHANCE: [&str; 4] = [TIME.name, MEMORY_LIMIT.name, NO_PYTHON.name, CRASHED.name];

impl Place {
    fn new(terrain: &Terrain) -> Self {
        let evaluation = |program: &String, evaluation: &Evaluation| {
            let chance = matches!(&evaluation.outcome, Outcome::Unrunnable(why) if BY_CHANCE.contains(&&*why.code));
            let artifact = evaluation.artifact.as_ref().map_or(0, String::len);
            (!chance).then_some(program.len() + artifact + size_of::<Evaluation>())
        };
        Self {
            course: Course::new(terrain),
            evaluations: Memory::new(MEMORY, evaluation),
            walks: Memory::new(MEMORY, |rig, _| Some(rig.size())),
        }
    }
}

impl Walkers {
    /// The domain as the settings describe it.
    pub fn new(settings: &Settings) -> Self {
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
            steps: settings.steps(),
            axes: settings.axes().to_vec(),
            places: Arc::default(),
        }
    }

    /// Replaces the command that starts a worker process (by default this binary itself).
    #[must_use]
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
            steps: self.steps,
            places: self.places.clone(),
        })
    }
}

impl Domain for Walkers {
    fn axes(&self) -> Vec<Axis> {
        self.axes.clone()
    }

    fn evaluator(&self) -> Result<Box<dyn Evaluator>, Error> {
        Ok(Box::new(self.walker_maker()?))
    }

    fn made_with(&self) -> MadeWith {
        match self.python.tier {
            Tier::Monty => MadeWith::new(),
            Tier::CPython | Tier::Auto => {
                let mut found = pyrun::versions(self.python.python.as_deref());
                for name in ["python", "numpy"] {
                    if found.iter().all(|(known, _)| known != name) {
                        found.push((name.to_owned(), "none".to_owned()));
                    }
                }
                found.into_iter().collect()
            }
        }
    }
}

/// Runs programs into walkers and lets them walk.
pub struct WalkerMaker {
    runner: Runner,
    steps: u32,
    places: Arc<Places>,
}

impl WalkerMaker {
    /// The walker that a program makes, and what the creator took from it.
    ///
    /// # Errors
    /// The program fails, or what it returns is no walker.
    pub fn walker(&mut self, program: &str) -> Result<(Walker, Ignored), Reason> {
        let value = self.runner.run(program).map_err(|failure| Reason {
            code: failure.reason().to_owned(),
            message: failure.to_string(),
        })?;
        let blueprint = blueprint(&value).map_err(|why| Reason::new(&NOT_A_WALKER, why))?;
        Walker::create(&blueprint).map_err(|e| Reason {
            code: e.reason().to_owned(),
            message: e.to_string(),
        })
    }

    /// The place of a condition.
    fn place(&self, condition: &str) -> Result<Arc<Place>, Reason> {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = places.get(condition) {
            return Ok(place.clone());
        }
        let terrain = terrain_of(condition).map_err(|e| Reason::new(&NO_TERRAIN, e.to_string()))?;
        let place = Arc::new(Place::new(&terrain));
        places.insert(condition.to_owned(), place.clone());
        Ok(place)
    }

    /// Evaluates programs that nothing is known of.
    fn evaluate_all(&mut self, programs: &[&str], place: &Place) -> Vec<Evaluation> {
        let made: Vec<_> = programs
            .iter()
            .map(|program| {
                let began = Instant::now();
                (self.walker(program), began.elapsed())
            })
            .collect();
        let began = Instant::now();
        let walkers = made.iter().filter_map(|(made, _)| made.as_ref().ok());
        let rigs: Vec<Rig> = walkers
            .map(|(walker, _)| place.course.rig(walker))
            .collect();
        let rigs: Vec<&Rig> = rigs.iter().collect();
        let walk = |fresh: &[&Rig]| place.course.walk(fresh, self.steps);
        let mut walks = place.walks.recall(&rigs, walk).into_iter();
        let share = began.elapsed() / rigs.len().max(1) as u32;
        made.into_iter()
            .map(|(made, time)| match made {
                Err(reason) => Evaluation {
                    outcome: Outcome::Unrunnable(reason),
                    artifact: None,
                    time,
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
                        Err(e) => Outcome::Unscored(Reason::new(&EXPLODED, e.to_string())),
                    };
                    Evaluation {
                        outcome,
                        artifact: Some(serde_json::to_string(&walker).expect("plain data")),
                        time: time + share,
                    }
                }
            })
            .collect()
    }
}

impl Evaluator for WalkerMaker {
    fn evaluate(&mut self, cases: &[Case<'_>]) -> Vec<Evaluation> {
        // Those of one condition walk side by side.
        let mut conditions: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (index, case) in cases.iter().enumerate() {
            conditions.entry(case.condition).or_default().push(index);
        }
        let mut evaluations: Vec<Option<Evaluation>> = vec![None; cases.len()];
        for (condition, indices) in conditions {
            let programs: Vec<&str> = indices.iter().map(|i| cases[*i].program).collect();
            let found = match self.place(condition) {
                Ok(place) => place
                    .evaluations
                    .recall(&programs, |fresh| self.evaluate_all(fresh, &place)),
                Err(reason) => {
                    let none = Evaluation {
                        outcome: Outcome::Unscored(reason),
                        artifact: None,
                        time: Duration::ZERO,
                    };
                    vec![(none, true); programs.len()]
                }
            };
            for (index, (mut evaluation, fresh)) in indices.into_iter().zip(found) {
                if !fresh {
                    evaluation.time = Duration::ZERO;
                }
                evaluations[index] = Some(evaluation);
            }
        }
        let each = evaluations.into_iter();
        each.map(|evaluation| evaluation.expect("every case has a condition"))
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
    fn a_seed_is_read_as_editors_leave_it() {
        let file = std::env::temp_dir().join(format!("samara-seed-{}.py", std::process::id()));
        let read = |bytes: &[u8]| {
            std::fs::write(&file, bytes).unwrap();
            program(file.to_str().unwrap())
        };
        let text = "# caf\u{e9}\ndef make_walker():\n    return 1\n";
        let crlf = format!("\u{feff}{}", text.replace('\n', "\r\n"));
        assert_eq!(read(crlf.as_bytes()).unwrap(), text);
        let error = read(b"x = 1\ny = '\xe9'\n").unwrap_err().to_string();
        std::fs::remove_file(&file).unwrap();
        assert!(
            error.contains("samara-seed") && error.contains("line 2"),
            "{error}"
        );
        for (name, _) in SEEDS {
            let text = program(name).unwrap();
            assert_eq!(edit::source::canonical(&text), text, "{name}");
        }
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
