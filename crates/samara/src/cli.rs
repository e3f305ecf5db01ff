//! What the user typed.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use pyrun::Tier;
use toml::{Table, Value};

use crate::settings::{self, set};

/// Evolution through Large Models: a quality-diversity search whose mutation operators edit Python programs.
///
/// Without a command it evolves walkers with the default settings.
#[derive(Parser)]
#[command(
    version,
    after_help = "Exit codes: 0 done, 1 failed, 2 bad use, 74 standard output takes nothing, 130 interrupted."
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Tell on standard error what happens, -v in general, -vv in detail. SAMARA_LOG says it in detail, e.g.
    /// "info,mutate=debug".
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    pub verbose: u8,
    #[command(flatten)]
    pub evolve: EvolveArgs,
}

impl Cli {
    /// Reads what was typed. Options of a search stand after its command, if there is one; -v may stand before it.
    ///
    /// # Errors
    /// What is wrong with it, or the help or the version that was asked for.
    pub fn of(typed: impl Iterator<Item = OsString>) -> Result<Self, clap::Error> {
        let mut command = <Self as CommandFactory>::command();
        let matches = command.try_get_matches_from_mut(typed)?;
        let typed =
            |id: &clap::Id| matches.value_source(id.as_str()) == Some(ValueSource::CommandLine);
        if let Some(name) = matches.subcommand_name() {
            let is_early = |arg: &&clap::Arg| arg.get_id() != "verbose" && typed(arg.get_id());
            let early = command
                .get_arguments()
                .find(is_early)
                .map(ToString::to_string);
            if let Some(early) = early {
                let why = format!(
                    "{early} cannot stand before {name}: options of a command stand after it"
                );
                return Err(command.error(ErrorKind::ArgumentConflict, why));
            }
        }
        Self::from_arg_matches(&matches)
    }
}

#[derive(Subcommand)]
pub enum Command {
    /// Evolve walkers from a seed program into a map of good and different ones.
    Evolve(EvolveArgs),
    /// Go on with a run that was interrupted, or make it longer.
    Resume(ResumeArgs),
    /// Print every setting with its default and meaning, as a configuration file.
    Config,
    /// Run a program and print the walker it makes, or why it makes none.
    Walker(WalkerArgs),
    /// Let a walker walk and print how far it came.
    Simulate(SimulateArgs),
    /// Draw a walker, in motion (.gif, .svg) or as a still (.png).
    Render(RenderArgs),
    /// Print the figures of a run.
    Stats(StatsArgs),
    /// Draw a run's curves and its map.
    Plot(PlotArgs),
    /// Write a run's report: one HTML page with all of it.
    Report(ReportArgs),
    /// Write all children of a run as Parquet and JSON lines.
    Export(ExportArgs),
    /// Ask a run in SQL; docs/store.md describes its tables.
    Sql(SqlArgs),
    /// Measure operators beside published results.
    #[command(subcommand)]
    Bench(Bench),
    /// Fetch, list and describe language models.
    #[command(subcommand)]
    Model(Model),
    /// Train models on runs.
    #[command(subcommand)]
    Train(Train),
    /// Gather changes of Python files out of git histories, for models to learn from.
    ///
    /// Kept are changes of one file whose subject asks for them in the imperative, where both versions parse; merges, robots, releases, vendored
    /// code, near duplicates and what may be a key are left out, and counted. It writes commits.parquet and commits.jsonl in the shape of
    /// `samara export --lessons`, corpus.json and corpus.html. docs/training.md tells more.
    Corpus(CorpusArgs),
    /// Gather the programs that runs' maps took, for models to learn from.
    ///
    /// Kept is every program ever admitted to a map whose fitness reaches a share of the best of its niche over all these runs (on the same terrain); exact
    /// duplicates are not, and one program in twenty is held out. It writes programs.parquet, programs.jsonl, dataset.json and dataset.html.
    /// docs/inventor.md tells more.
    Dataset(DatasetArgs),
    /// Have a model of the domain or an inventor write programs, or draw some of a dataset, into a fresh map: a run like any other.
    ///
    /// Programs are held to Python's grammar, or with --free to nothing. All of them run in the cage. Interrupted, the same
    /// command goes on.
    Sample(SampleArgs),
    /// Have an inventor write programs for a terrain, and print the best.
    Invent(InventArgs),
    /// Make the paper's results again.
    #[command(subcommand)]
    Reproduce(Reproduce),
}

#[derive(Args)]
pub struct InventArgs {
    /// An inventor as `samara train inventor` writes it.
    #[arg(value_name = "INVENTOR")]
    pub model: PathBuf,
    /// A terrain that the inventor knows; one that sees takes any, by name or from a file.
    #[arg(long, value_name = "TERRAIN")]
    pub terrain: String,
    /// How many programs to write, of which the best is printed.
    #[arg(short = 'n', long, value_name = "N", default_value_t = 64, value_parser = whole(1, 1_000_000))]
    pub count: usize,
    /// Simulated seconds of a walk.
    #[arg(long, value_name = "S")]
    pub seconds: Option<f64>,
    /// Draw the best one's walk: a name that ends in .gif, .svg or .png.
    #[arg(short, long = "output", value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Below 1 the likely becomes likelier, above 1 less so.
    #[arg(long, value_name = "T", default_value_t = 1.0)]
    pub temperature: f64,
    /// Tokens of a program at most; 0: as many as the model reads.
    #[arg(long, value_name = "N", default_value_t = 512)]
    pub max_tokens: usize,
    /// Hold the text to nothing, in place of Python's grammar.
    #[arg(long)]
    pub free: bool,
    /// Seed of every random draw.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub rng: u64,
    /// Print JSON: the program, its walker's measures and its distance, and what became of all.
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Args)]
pub struct DatasetArgs {
    /// Folders of runs.
    #[arg(required = true, value_name = "RUN")]
    pub runs: Vec<PathBuf>,
    /// Where to write the files: a new folder.
    #[arg(short, long = "output", value_name = "DIR")]
    pub output: PathBuf,
    /// The least fitness of a program, in percent of the best of its niche.
    #[arg(long, value_name = "PERCENT", default_value_t = 80.0)]
    pub quality: f64,
    /// Keep only what stands in the maps at the end.
    #[arg(long)]
    pub final_map: bool,
}

#[derive(Args)]
pub struct SampleArgs {
    /// A model as `samara train domain` writes it, or any other; an inventor, which writes for the terrain; or a dataset, of which programs are drawn.
    #[arg(value_name = "MODEL|DATASET")]
    pub model: String,
    /// Where the run goes: a folder, new or one that the same command began.
    #[arg(short, long = "output", alias = "out", value_name = "RUN")]
    pub output: PathBuf,
    /// How many programs.
    #[arg(short = 'n', long, value_name = "N", default_value_t = 1024, value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    pub count: u64,
    /// A file that all programs begin with.
    #[arg(long, value_name = "FILE")]
    pub prompt: Option<PathBuf>,
    /// Below 1 the likely becomes likelier, above 1 less so; 0 takes the likeliest token each time.
    #[arg(long, value_name = "T", default_value_t = 1.0)]
    pub temperature: f64,
    /// Leave out tokens less likely than this share of the likeliest.
    #[arg(long, value_name = "P", default_value_t = 0.0)]
    pub min_p: f64,
    /// Tokens of a program at most; 0: as many as the model reads.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub max_tokens: usize,
    /// Hold the text to nothing.
    #[arg(long)]
    pub free: bool,
    /// Where the walkers walk: a terrain by name or from a file.
    #[arg(long, value_name = "TERRAIN")]
    pub terrain: Option<String>,
    /// Simulated seconds of a walk.
    #[arg(long, value_name = "S")]
    pub seconds: Option<f64>,
    /// Seed of every random draw; the same number gives the same programs.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub rng: u64,
    /// Threads that run programs [default: one per core].
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// Where the model computes: cpu; cuda, vulkan or metal in a build with that feature.
    #[arg(long, value_name = "DEVICE")]
    pub device: Option<String>,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Subcommand)]
pub enum Reproduce {
    /// A model tuned on what evolution accepted of its changes, against itself untuned, from the four seeds (Lehman et al. 2022, figures 8 to 11).
    ///
    /// Beside them stand gp, and the model tuned on as many changes made by gp. It says beforehand how long it takes; interrupted, the same command goes
    /// on. It writes stage1.html, stage1.json and the figures, with the paper's numbers.
    Stage1(Stage1Args),
    /// Models of the domain of several sizes, trained on what evolution found (Lehman et al. 2022, figures 12, 13 and 15).
    ///
    /// Their loss on programs held out, the map that their samples fill beside programs drawn from the dataset, and how well they complete the first half of
    /// programs never seen. It says beforehand how long it takes; interrupted, the same command goes on. It writes stage2.html, stage2.json and the
    /// figures, with the paper's numbers.
    Stage2(Stage2Args),
    /// Inventors on the paper's two sets of terrains (Lehman et al. 2022, figures 18 and 19).
    ///
    /// On each terrain the best of the dataset, the best of the model of the domain, and mean and best of what inventors write that see by codes and by vision; then whether an
    /// inventor that learned tunnels of several heights makes walkers as high for tunnels between them (appendix I).
    /// It says beforehand how long it takes; interrupted, the same command goes on. It writes stage3.html, stage3.json and the figures, with the paper's
    /// numbers.
    Stage3(Stage3Args),
}

#[derive(Args)]
pub struct Stage3Args {
    /// Where the runs, the models and the page go; what is there is not made again.
    #[arg(short, long = "output", value_name = "DIR", default_value = "stage3")]
    pub output: PathBuf,
    /// Evaluations of a run as a part of the paper's 1,024,000.
    #[arg(long, value_name = "S", default_value_t = 0.02)]
    pub scale: f64,
    /// Runs of gp from each seed, on flat ground.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=100))]
    pub runs: u64,
    /// Runs to gather programs from, in place of those; give it once for each.
    #[arg(long = "from", value_name = "RUN", conflicts_with_all = ["scale", "runs"])]
    pub from: Vec<PathBuf>,
    /// The least fitness of a program of the dataset, in percent of the best of its niche; the paper's are 50,80.
    #[arg(
        long,
        value_name = "PERCENT,...",
        value_delimiter = ',',
        default_value = "80"
    )]
    pub quality: Vec<f64>,
    /// The models' size.
    #[arg(long, value_name = "SIZE", default_value = "1m", value_parser = clap::builder::PossibleValuesParser::new(lm::Config::PRESETS))]
    pub size: String,
    /// Tokens that the training of a model of the domain reads at most.
    #[arg(long, value_name = "N", default_value_t = 4_000_000)]
    pub tokens: u64,
    /// The sets of terrains, with commas between them.
    #[arg(long, value_name = "SET,SET", value_delimiter = ',', default_value = "tunnel,bumpy", value_parser = ["tunnel", "bumpy"])]
    pub sets: Vec<String>,
    /// How inventors see a terrain, with commas between them.
    #[arg(long, value_name = "KIND,KIND", value_delimiter = ',', default_value = "codes,vision", value_parser = ["codes", "vision"])]
    pub ten: Vec<String>,
    /// Trainings of each inventor.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=100))]
    pub seeds: u64,
    /// Iterations of an inventor's training; the paper's are 100.
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub iterations: u32,
    /// Programs of an iteration; the paper's are 1024.
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = whole(2, 1_000_000))]
    pub iteration_samples: usize,
    /// Tunnels, by their heights in world units, that an inventor learns which is then asked for those between, too (appendix I); an empty text for none.
    #[arg(long, value_name = "H,H,...", default_value = "30,50,70,90", value_parser = heights)]
    pub heights: Heights,
    /// Programs of each on each terrain.
    #[arg(long, value_name = "N", default_value_t = 1024, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub samples: u64,
}

/// Heights of tunnels, rising.
#[derive(Clone, Debug)]
pub struct Heights(pub Vec<f64>);

fn heights(text: &str) -> Result<Heights, String> {
    let each = text.split(',').filter(|part| !part.trim().is_empty());
    let each = each.map(|part| match part.trim().parse::<f64>() {
        Ok(height) => domains::walkers::terrain(&format!("tunnel:{height}"))
            .map(|_| height)
            .map_err(|e| e.to_string()),
        Err(_) => Err(format!("{part:?} is no number")),
    });
    let mut all: Vec<f64> = each.collect::<Result<_, _>>()?;
    all.sort_by(f64::total_cmp);
    all.dedup();
    match all.len() {
        1 => Err("two heights at least, so that there is one between".to_owned()),
        _ => Ok(Heights(all)),
    }
}

#[derive(Args)]
pub struct Stage2Args {
    /// Where the runs, the models and the page go; what is there is not made again.
    #[arg(short, long = "output", value_name = "DIR", default_value = "stage2")]
    pub output: PathBuf,
    /// Evaluations of a run as a part of the paper's 1,024,000.
    #[arg(long, value_name = "S", default_value_t = 0.02)]
    pub scale: f64,
    /// Runs of gp from each seed.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=100))]
    pub runs: u64,
    /// Runs to gather programs from, in place of those; give it once for each.
    #[arg(long = "from", value_name = "RUN", conflicts_with_all = ["scale", "runs"])]
    pub from: Vec<PathBuf>,
    /// The least fitness of a program of the dataset, in percent of the best of its niche.
    #[arg(long, value_name = "PERCENT", default_value_t = 80.0)]
    pub quality: f64,
    /// The models' sizes, with commas between them.
    #[arg(long, value_name = "SIZE,SIZE,...", value_delimiter = ',', default_value = "0.1m,1m",
          value_parser = clap::builder::PossibleValuesParser::new(lm::Config::PRESETS))]
    pub sizes: Vec<String>,
    /// Models that are trained on as well, each beside one of its shape from weights drawn by chance: what pretraining is worth. An empty text for none.
    #[arg(
        long,
        value_name = "MODEL,MODEL,...",
        value_delimiter = ',',
        default_value = "compact"
    )]
    pub bases: Vec<String>,
    /// Tokens that a training reads at most.
    #[arg(long, value_name = "N", default_value_t = 4_000_000)]
    pub tokens: u64,
    /// Programs that each model writes into a fresh map, and as many for each program to complete.
    #[arg(long, value_name = "N", default_value_t = 1024, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub samples: u64,
}

#[derive(Args)]
pub struct Stage1Args {
    /// Where the runs, the operators and the page go; what is there is not made again.
    #[arg(short, long = "output", value_name = "DIR", default_value = "stage1")]
    pub output: PathBuf,
    /// Evaluations of a run as a part of the paper's 1,024,000.
    #[arg(long, value_name = "S", default_value_t = 0.002)]
    pub scale: f64,
    /// Runs of each operator from each seed.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=100))]
    pub runs: u64,
    /// The model that is tuned, as in `samara model`.
    #[arg(long, value_name = "MODEL", default_value = "compact")]
    pub base: String,
    /// Tune low-rank changes of it only.
    #[arg(long)]
    pub lora: bool,
    /// Tokens that a training reads at most.
    #[arg(long, value_name = "N", default_value_t = 1_200_000)]
    pub tokens: u64,
}

#[derive(Args)]
pub struct CorpusArgs {
    /// Folders of git repositories with their whole history and a licence file.
    #[arg(required = true, value_name = "REPO")]
    pub repositories: Vec<PathBuf>,
    /// Where to write the files: a new folder.
    #[arg(short, long = "output", value_name = "DIR")]
    pub output: PathBuf,
    /// Lines that a change removes, and adds, at most.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = whole(1, 1000))]
    pub max_lines: usize,
    /// Lines of the file that a change comes with, at most: the functions and classes around it, or the whole file.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = whole(4, 100_000))]
    pub window: usize,
    /// Changes of one repository at most, the newest.
    #[arg(long, value_name = "N", default_value_t = 2000, value_parser = whole(1, 1_000_000_000))]
    pub per_repository: usize,
    /// The licence of a repository, where you know better than its files; give it once for each.
    #[arg(long, value_name = "REPO=NAME")]
    pub licence: Vec<String>,
    /// Take repositories under any licence; what theirs ask for is then yours to do.
    #[arg(long)]
    pub any_licence: bool,
    /// Leave out repositories that cannot serve, instead of ending there.
    #[arg(long)]
    pub skip: bool,
    /// Threads that read [default: one per core].
    #[arg(long, value_name = "N", value_parser = whole(1, 1024))]
    pub threads: Option<usize>,
}

#[derive(Subcommand)]
pub enum Train {
    /// Train a mutation operator on the changes that maps took, for `samara evolve --operator diff --model MODEL`.
    ///
    /// It says what it will take before it begins. Interrupted, it keeps its state beside MODEL: the same command goes on there.
    /// docs/training.md tells more.
    Operator(TrainOperatorArgs),
    /// Train a model of the domain on a dataset of programs: it then writes such programs, with `samara sample`.
    ///
    /// From scratch, or from a base; until the loss of programs held out falls no more. It says what it will take before it begins. Interrupted,
    /// the same command goes on. docs/inventor.md tells more.
    Domain(TrainDomainArgs),
    /// Train a model of the domain to invent for the terrain that it is shown, by reinforcement learning, for `samara invent`.
    ///
    /// It writes programs for each terrain, they walk there, and what went far becomes likelier (PPO; Lehman et al. 2022, section 3.3). Interrupted or
    /// killed, the same command goes on to the same bits. docs/inventor.md tells more.
    Inventor(TrainInventorArgs),
}

#[derive(Args)]
pub struct TrainInventorArgs {
    /// A model as `samara train domain` writes it.
    #[arg(value_name = "MODEL")]
    pub model: String,
    /// The terrains it learns to invent for: names or files, with commas between them.
    #[arg(
        long,
        value_name = "T,T,...",
        value_delimiter = ',',
        default_value = "left-wall,right-wall,tunnel:60"
    )]
    pub terrains: Vec<String>,
    /// Where to write the inventor: a folder, new or a saved model's.
    #[arg(short, long = "output", value_name = "INVENTOR")]
    pub output: PathBuf,
    /// How it sees a terrain: codes, a few learned vectors for each; or vision, a network over its picture, which takes any terrain.
    #[arg(long, value_name = "KIND", default_value = "codes", value_parser = ["codes", "vision"])]
    pub ten: String,
    /// Vectors in front of a program.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = whole(1, 64))]
    pub vectors: usize,
    /// Programs of an iteration.
    #[arg(long, value_name = "N", default_value_t = 1024, value_parser = whole(2, 1_000_000))]
    pub samples: usize,
    /// Iterations.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub iterations: u32,
    /// Iterations at the beginning in which the value model alone learns.
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub warm_up: u32,
    /// Readings of an iteration's programs.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub epochs: u32,
    /// Updates of a reading.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = whole(1, 10_000))]
    pub minibatches: usize,
    /// The policy's highest learning rate; it falls to 0.
    #[arg(long, value_name = "RATE", default_value_t = 2e-4)]
    pub rate: f32,
    /// The value model's.
    #[arg(long, value_name = "RATE", default_value_t = 1e-3)]
    pub value_rate: f32,
    /// That of the network that sees the terrain.
    #[arg(long, value_name = "RATE", default_value_t = 1e-3)]
    pub ten_rate: f32,
    /// What leaving the domain model costs, for each nat.
    #[arg(long, value_name = "WEIGHT", default_value_t = 0.05)]
    pub kl: f32,
    /// World units that are worth a reward of 1.
    #[arg(long, value_name = "UNITS", default_value_t = 100.0)]
    pub unit: f64,
    /// What a program earns that does not run, walks nowhere or has no end.
    #[arg(long, value_name = "REWARD", default_value_t = -0.5, allow_negative_numbers = true)]
    pub failure: f32,
    /// Before, learn the best programs of this dataset's runs on each terrain, with the terrain shown (Lehman et al. 2022, appendix I).
    #[arg(long, value_name = "DATASET")]
    pub pairs: Option<PathBuf>,
    /// Programs of each terrain that are learned so, at most.
    #[arg(long, value_name = "N", default_value_t = 1000, requires = "pairs", value_parser = whole(1, 10_000_000))]
    pub pairs_per_terrain: usize,
    /// Tokens of a program at most; 0: as many as the model reads.
    #[arg(long, value_name = "N", default_value_t = 512)]
    pub max_tokens: usize,
    /// Simulated seconds of a walk.
    #[arg(long, value_name = "S")]
    pub seconds: Option<f64>,
    /// Threads that run programs [default: one per core].
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// Seed of every random draw; the same number gives the same inventor.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub rng: u64,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Args)]
pub struct TrainDomainArgs {
    /// A folder as `samara dataset` writes it, or a .parquet or .jsonl file whose rows have a `program`.
    #[arg(value_name = "DATASET")]
    pub dataset: PathBuf,
    /// Where to write the model: a folder, new or a saved model's.
    #[arg(short, long = "output", value_name = "MODEL")]
    pub output: PathBuf,
    /// The size of a model from scratch, whose tokenizer is made from the dataset.
    #[arg(long, value_name = "SIZE", default_value = "1m", conflicts_with = "base",
          value_parser = clap::builder::PossibleValuesParser::new(lm::Config::PRESETS))]
    pub preset: String,
    /// A model to begin from, as in `samara model`, with its own tokenizer.
    #[arg(long, value_name = "MODEL")]
    pub base: Option<String>,
    /// Begin from weights drawn by chance in place of the base's: what its pretraining is worth.
    #[arg(long, requires = "base")]
    pub from_scratch: bool,
    /// Train low-rank changes of the base only, and write these, in PEFT's format.
    #[arg(long, requires = "base", conflicts_with = "from_scratch")]
    pub lora: bool,
    /// The rank of the low-rank changes.
    #[arg(long, value_name = "N", default_value_t = 16, requires = "lora", value_parser = whole(1, 4096))]
    pub rank: usize,
    /// From scratch: tokens of its tokenizer at most.
    #[arg(long, value_name = "N", default_value_t = 2048, conflicts_with = "base", value_parser = whole(257, 65_536))]
    pub vocabulary: usize,
    /// Have it read each program with a comment in front and with one behind that tells its height, width, mass and fitness, for `samara bench probes`
    /// (Lehman et al. 2022, appendix H). Programs beyond the nine tenths with the smallest value of each are not read.
    #[arg(long)]
    pub probes: bool,
    /// How often to read every program at most.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub epochs: u32,
    /// Tokens to read in all at most; 0 for no bound.
    #[arg(long, value_name = "N", default_value_t = 6_000_000)]
    pub tokens: u64,
    /// The highest learning rate [default: 0.0012 from scratch, 0.001 for a base of 30 million parameters at most, 0.0003 for a larger
    /// one, 0.0015 with --lora].
    #[arg(long, value_name = "RATE")]
    pub rate: Option<f32>,
    /// Programs that the trained model writes at the end, once held to Python and once free, to see what it is worth; 0 for no trial.
    #[arg(long, value_name = "N", default_value_t = 128, value_parser = whole(0, 100_000))]
    pub trial: usize,
    /// Seed of every random draw; the same number gives the same model.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub rng: u64,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Args)]
pub struct TrainOperatorArgs {
    /// A run's folder, or a .parquet or .jsonl file as `samara export --lessons` writes it; each may have a weight, which says how
    /// much its lessons count.
    #[arg(required = true, value_name = "RUN|FILE[=WEIGHT]")]
    pub sources: Vec<String>,
    /// Where to write the model: a folder, new or a saved model's.
    #[arg(short, long = "output", value_name = "MODEL")]
    pub output: PathBuf,
    /// The model to begin from, as in `samara model`.
    #[arg(long, value_name = "MODEL", default_value = "compact")]
    pub base: String,
    /// Train low-rank changes of the base only, and write these, in PEFT's format.
    #[arg(long)]
    pub lora: bool,
    /// The rank of the low-rank changes.
    #[arg(long, value_name = "N", default_value_t = 16, requires = "lora", value_parser = whole(1, 4096))]
    pub rank: usize,
    /// Instead of a base, a model of this size from scratch, whose tokenizer is made from the lessons.
    #[arg(long, value_name = "SIZE", conflicts_with_all = ["base", "lora"],
          value_parser = clap::builder::PossibleValuesParser::new(lm::Config::PRESETS))]
    pub preset: Option<String>,
    /// From scratch: tokens of its tokenizer at most.
    #[arg(long, value_name = "N", default_value_t = 2048, requires = "preset", value_parser = whole(257, 65_536))]
    pub vocabulary: usize,
    /// How often to read every lesson.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub epochs: u32,
    /// Tokens to read in all at most; 0 for no bound.
    #[arg(long, value_name = "N", default_value_t = 1_200_000)]
    pub tokens: u64,
    /// The highest learning rate [default: 0.0012 from scratch, 0.001 for a base of 30 million parameters at most, 0.0003 for a larger
    /// one, 0.0015 with --lora].
    #[arg(long, value_name = "RATE")]
    pub rate: Option<f32>,
    /// Lessons of one niche of one source at most, and as many that the map did not take: half of them the best, half different
    /// from each other. Commits are of no niche, and not held to it.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = whole(2, 1_000_000))]
    pub per_niche: usize,
    /// How much a change counts that was scored, but that the map did not take, beside 1: they teach what runs, and there are many. 0
    /// to 1; with 0 they are left out.
    #[arg(long, value_name = "WEIGHT", default_value_t = 0.5)]
    pub rejected: f32,
    /// How much a diff's token counts that its guide leaves no choice about, beside 1: with 0 these are not learned, and the model is of little use without
    /// the guide (`diff.constrained = false`); with 1 it learns to copy whole lines, too.
    #[arg(long, value_name = "WEIGHT", default_value_t = 0.0)]
    pub free: f32,
    /// Children that the trained operator writes at the end, once held to what applies and once free, to see what it is worth; 0
    /// for no trial.
    #[arg(long, value_name = "N", default_value_t = 128, value_parser = whole(0, 100_000))]
    pub trial: usize,
    /// Seed of every random draw; the same number gives the same model.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub rng: u64,
    #[command(flatten)]
    pub common: Common,
}

/// A whole number within a range.
fn whole(low: u64, high: u64) -> impl Fn(&str) -> Result<usize, String> + Clone + Send + Sync {
    move |text| match text.parse::<u64>() {
        Ok(n) if (low..=high).contains(&n) => Ok(n as usize),
        _ => Err(format!("give a whole number of {low} to {high}")),
    }
}

#[derive(Subcommand)]
pub enum Model {
    /// Fetch a model into the cache and print where it lies.
    ///
    /// An interrupted download goes on where it stopped. The cache is $SAMARA_CACHE, else $XDG_CACHE_HOME/samara, else
    /// ~/.cache/samara. HF_TOKEN is the token for a hub's closed models, HF_ENDPOINT another hub's address.
    Pull(ModelPullArgs),
    /// Print the models of the cache, and those that can be fetched by name.
    List(ModelListArgs),
    /// Print what a model is made of.
    Info(ModelInfoArgs),
    /// Write a model as one GGUF file of 8 bits a weight (Q8_0), which llama.cpp and others read too.
    Export(ModelExportArgs),
}

#[derive(Args)]
pub struct ModelPullArgs {
    /// smollm2-135m, hf:ORG/NAME (safetensors) or hf:ORG/NAME:FILE.gguf.
    pub name: String,
}

#[derive(Args)]
pub struct ModelListArgs {
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Args)]
pub struct ModelInfoArgs {
    /// The name of a model that was pulled, a .gguf file, a .safetensors file or a folder.
    #[arg(value_name = "NAME|PATH")]
    pub model: String,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Args)]
pub struct ModelExportArgs {
    /// The name of a model that was pulled, a .gguf file, a .safetensors file or a folder.
    #[arg(value_name = "NAME|PATH")]
    pub model: String,
    /// The file to write; one that is there is replaced.
    #[arg(short, long, value_name = "FILE.gguf")]
    pub output: PathBuf,
}

#[derive(Subcommand)]
pub enum Bench {
    /// How often one mutation mends a program with several bugs (Lehman et al. 2022, figures 1 and 2).
    Bugs(BugsArgs),
    /// How likely models find changes that people made, and how near to them they write.
    ///
    /// Each change is asked for once, held to the guide and once free, by its own file and message: the loss of the change, the share of answers that apply
    /// and parse, of those that are the person's to the letter, and how like the changed lines are (1 less the edits between them as a part
    /// of the longer). Give changes of repositories that no model was trained on.
    Commits(CommitsArgs),
    /// What a model of the domain knows of its programs (Lehman et al. 2022, appendix H): by `samara train domain --probes`.
    ///
    /// It is asked, in a comment in front, for programs of the height, width, mass and fitness of programs that it has not read, and to tell, in a comment behind, which of
    /// them these programs have. Spearman's correlation says how well it does, within what it has read and beyond. Give it the dataset that it was trained on.
    Probes(ProbesArgs),
}

#[derive(Args)]
pub struct ProbesArgs {
    /// A model as `samara train domain --probes` makes it.
    #[arg(value_name = "MODEL")]
    pub model: String,
    /// The dataset that it was trained on.
    #[arg(value_name = "DATASET")]
    pub dataset: PathBuf,
    /// Programs at most: held out and within, and beyond by each property.
    #[arg(short = 'n', long, value_name = "N", default_value_t = 256, value_parser = whole(3, 1_000_000))]
    pub count: usize,
    /// At which temperature programs are written to a wish; what is told is the likeliest.
    #[arg(long, value_name = "T", default_value_t = 1.0)]
    pub temperature: f64,
    /// Hold programs to nothing, in place of Python's grammar.
    #[arg(long)]
    pub free: bool,
    #[command(flatten)]
    pub measuring: Measuring,
}

#[derive(Args)]
pub struct CommitsArgs {
    /// A .parquet or .jsonl file as `samara corpus` and `samara export --lessons` write it, or a run's folder.
    #[arg(required = true, value_name = "FILE|RUN")]
    pub sources: Vec<String>,
    /// A model, as in `samara model`; give it once for each.
    #[arg(long = "model", value_name = "MODEL", default_value = "compact")]
    pub models: Vec<String>,
    /// Changes to ask for at most, of different programs, drawn by chance.
    #[arg(short = 'n', long, value_name = "N", default_value_t = 200, value_parser = whole(1, 1_000_000))]
    pub count: usize,
    /// At which temperature the answers are drawn; 0: the likeliest token each time.
    #[arg(long, value_name = "T", default_value_t = 0.0)]
    pub temperature: f64,
    #[command(flatten)]
    pub measuring: Measuring,
}

/// How a model is measured, and where the numbers go.
#[derive(Args)]
pub struct Measuring {
    /// Seed of every random draw.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub rng: u64,
    /// Where a model computes: cpu; cuda, vulkan or metal in a build with that feature.
    #[arg(long, value_name = "DEVICE")]
    pub device: Option<String>,
    /// Write the numbers into this file, too.
    #[arg(short, long = "output", value_name = "FILE.json")]
    pub output: Option<PathBuf>,
    /// Print JSON instead of a table.
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Args)]
pub struct BugsArgs {
    /// The program with the bugs; give it twice for both [default: both].
    #[arg(long = "task", value_name = "parity|quadratic", value_parser = ["parity", "quadratic"])]
    pub tasks: Vec<String>,
    /// A mutation operator, or paper-gp for the paper's genetic programming; give it once for each operator
    /// [default: paper-gp and those with a weight in the configuration].
    #[arg(long = "operator", value_name = "NAME")]
    pub operators: Vec<String>,
    /// Mutations of each program [default: 100000 for gp and paper-gp, 1000 for others].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    pub trials: Option<u64>,
    /// Seed of every random draw; the same number gives the same counts.
    #[arg(long, value_name = "N")]
    pub rng: Option<u64>,
    /// Threads that run the unit tests [default: one per core].
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// Where to write the numbers and the figure.
    #[arg(
        short,
        long = "output",
        value_name = "DIR",
        default_value = "figures/bugs"
    )]
    pub output: PathBuf,
    /// Print JSON instead of tables.
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub models: ModelArgs,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Args)]
pub struct EvolveArgs {
    /// The program to start from: square, radial, cppn-fixed, cppn-mutable, or a Python file.
    #[arg(long)]
    pub seed: Option<String>,
    /// A mutation operator and its weight; give it once for each operator.
    #[arg(long = "operator", value_name = "NAME[=WEIGHT]", value_parser = weighted)]
    pub operators: Vec<(String, f64)>,
    /// Let a model learn from the run while it goes on: the operator `learned`, beside the others. Rounds of learning follow each
    /// other after `every` evaluations. Also meanwhile=N (evaluations after a round has begun that do without it), tokens=N (read
    /// in a round), preset=SIZE, weight=W and what else the section [learned] has; with --model, that model learns.
    #[arg(long, value_name = "every=N[,NAME=VALUE]...", value_parser = self_improve)]
    pub self_improve: Option<SelfImprove>,
    /// How many changes to propose in all.
    #[arg(long, value_name = "N")]
    pub evaluations: Option<u64>,
    /// flat, left-wall, right-wall, bumpy, tunnel, tunnel:HEIGHT, or a terrain file.
    #[arg(long, value_name = "T")]
    pub terrain: Option<String>,
    /// Simulated seconds of a walk [default: 10].
    #[arg(long, value_name = "S", allow_negative_numbers = true)]
    pub seconds: Option<f64>,
    /// Seed of every random draw; the same number gives the same run.
    #[arg(long, value_name = "N")]
    pub rng: Option<u64>,
    /// Evaluation threads [default: one per core].
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// The run's folder, new or empty [default: the next free runs/SEED-N].
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    #[command(flatten)]
    pub models: ModelArgs,
    #[command(flatten)]
    pub common: Common,
}

/// The language models that operators use.
#[derive(Args)]
pub struct ModelArgs {
    /// The model for the operators line and diff (a name or a path, see `samara model`); with --endpoint, the model's
    /// name there.
    #[arg(long, value_name = "MODEL")]
    pub model: Option<String>,
    /// An OpenAI-compatible server for the operator prompt; its key comes from the environment only.
    #[arg(long, value_name = "URL")]
    pub endpoint: Option<String>,
    /// Where a model of our own computes: cpu; cuda, vulkan or metal in a build with that feature.
    #[arg(long, value_name = "DEVICE")]
    pub device: Option<String>,
}

impl ModelArgs {
    /// Writes what was typed over the settings.
    pub fn apply(&self, settings: &mut Table) {
        let model = match self.endpoint {
            Some(_) => "prompt.model",
            None => "model.path",
        };
        overwrite(settings, model, &self.model);
        overwrite(settings, "prompt.endpoint", &self.endpoint);
        overwrite(settings, "model.device", &self.device);
    }
}

/// Settings that every command takes which runs programs.
#[derive(Args)]
pub struct Common {
    /// A configuration file; see `samara config`.
    #[arg(long, value_name = "FILE.toml")]
    pub config: Option<PathBuf>,
    /// Which Python runs the programs: monty, cpython, or auto.
    #[arg(long, value_name = "TIER")]
    pub python: Option<Tier>,
    #[command(flatten)]
    pub cage: CageArgs,
}

/// Whether programs run in a whole cage or not at all.
#[derive(Args)]
pub struct CageArgs {
    /// Run programs also where the system cannot cage them (off Linux, or without seccomp): one that means harm could then do
    /// whatever you can.
    #[arg(long)]
    pub no_cage: bool,
}

impl CageArgs {
    /// Writes what was typed over the settings.
    pub fn apply(&self, settings: &mut Table) {
        if self.no_cage {
            set(settings, "python.cage", false);
        }
    }
}

#[derive(Args)]
pub struct ResumeArgs {
    /// The run's folder.
    pub run: PathBuf,
    /// A new number of changes in all.
    #[arg(long, value_name = "N")]
    pub evaluations: Option<u64>,
    /// Evaluation threads [default: as the run began].
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// Go on although something differs that changes results: samara's version, the model, the device, Python's version.
    #[arg(long)]
    pub force: bool,
    #[command(flatten)]
    pub models: ModelArgs,
    #[command(flatten)]
    pub cage: CageArgs,
}

#[derive(Args)]
pub struct WalkerArgs {
    /// A Python file, a seed's name, or a child of a run as RUN:ID.
    pub program: String,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub common: Common,
}

/// Which walker, and where and how long it walks.
#[derive(Args)]
pub struct WalkArgs {
    /// A Python file, a walker as JSON, a seed's name, or RUN:ID (RUN:best is the fittest).
    #[arg(value_name = "FILE|RUN:ID")]
    pub walker: String,
    /// flat, left-wall, right-wall, bumpy, tunnel, tunnel:HEIGHT, or a terrain file [default: the run's, or flat].
    #[arg(long, value_name = "T")]
    pub terrain: Option<String>,
    /// Simulated seconds [default: the run's, or 10].
    #[arg(long, value_name = "S", allow_negative_numbers = true)]
    pub seconds: Option<f64>,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Args)]
pub struct SimulateArgs {
    #[command(flatten)]
    pub walk: WalkArgs,
    /// Print JSON, with the trajectory of the centre of mass.
    #[arg(long)]
    pub json: bool,
}

#[derive(Args)]
pub struct RenderArgs {
    #[command(flatten)]
    pub walk: WalkArgs,
    /// The picture: its ending says which kind.
    #[arg(short, long = "output", value_name = "OUT.gif|.svg|.png")]
    pub output: PathBuf,
    /// For .png: show so many moments of the walk (2 to 24) instead of the walker at rest.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub moments: usize,
}

#[derive(Args)]
pub struct StatsArgs {
    /// The run's folder.
    pub run: PathBuf,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Args)]
pub struct PlotArgs {
    /// The run's folder; several are drawn over each other.
    #[arg(required = true)]
    pub runs: Vec<PathBuf>,
    /// Where to write the figures [default: figures in the first run's folder].
    #[arg(short, long = "output", value_name = "DIR")]
    pub output: Option<PathBuf>,
}

#[derive(Args)]
pub struct ReportArgs {
    /// The run's folder.
    pub run: PathBuf,
    /// The page [default: report.html in the run's folder].
    #[arg(short, long = "output", value_name = "FILE.html")]
    pub output: Option<PathBuf>,
}

#[derive(Args)]
pub struct ExportArgs {
    /// The run's folder.
    pub run: PathBuf,
    /// Where to write the files [default: export in the run's folder].
    #[arg(short, long = "output", value_name = "DIR")]
    pub output: Option<PathBuf>,
    /// Write the changes that the map took, for training: lessons.parquet and lessons.jsonl.
    #[arg(long)]
    pub lessons: bool,
    /// With --lessons: those that it did not take, too.
    #[arg(long, requires = "lessons")]
    pub rejected: bool,
}

#[derive(Args)]
pub struct SqlArgs {
    /// The run's folder.
    pub run: PathBuf,
    /// The question, such as "SELECT id, fitness, diff FROM children ORDER BY fitness DESC LIMIT 5".
    #[arg(value_name = "SELECT ...")]
    pub query: String,
    /// Print JSON lines, one object a row.
    #[arg(long, conflicts_with = "csv")]
    pub json: bool,
    /// Print CSV.
    #[arg(long)]
    pub csv: bool,
}

fn weighted(text: &str) -> Result<(String, f64), String> {
    match text.split_once('=') {
        None => Ok((text.to_owned(), 1.0)),
        Some((name, weight)) => match weight.parse::<f64>() {
            Ok(weight) if weight.is_finite() && weight >= 0.0 => Ok((name.to_owned(), weight)),
            _ => Err(format!(
                "{weight:?} is no weight; give a number of 0 or more"
            )),
        },
    }
}

/// Settings of the sections `[learn]` and `[learned]`, with their whole names.
#[derive(Clone)]
pub struct SelfImprove(Vec<(String, Value)>);

fn self_improve(text: &str) -> Result<SelfImprove, String> {
    let defaults = settings::defaults();
    let section = |name| settings::get(&defaults, name).and_then(Value::as_table);
    let sections: Vec<(&str, &Table)> = ["learn", "learned"]
        .into_iter()
        .filter_map(|name| Some((name, section(name)?)))
        .collect();
    let mut typed = Vec::new();
    for part in text.split(',') {
        let (name, value) = part
            .split_once('=')
            .ok_or_else(|| format!("{part:?} is no NAME=VALUE, such as every=5000"))?;
        let known = sections
            .iter()
            .find_map(|(section, keys)| Some((section, keys.get(name)?)));
        let Some((section, default)) = known else {
            let names: Vec<&str> = sections
                .iter()
                .flat_map(|(_, keys)| keys.keys().map(String::as_str))
                .collect();
            return Err(format!("there is no {name:?}; known: {}", names.join(", ")));
        };
        let wrong = |kind| format!("{name}: {value:?} is no {kind}");
        let value = match default {
            Value::Integer(_) => match value.parse::<i64>() {
                Ok(value) if value >= 0 => Value::Integer(value),
                _ => return Err(wrong("whole number of 0 or more")),
            },
            Value::Float(_) => Value::Float(value.parse().map_err(|_| wrong("number"))?),
            _ => Value::String(value.to_owned()),
        };
        if name == "every" && value == Value::Integer(0) {
            return Err("every=0 would be no rounds; give 1 or more, e.g. every=5000".to_owned());
        }
        typed.push((format!("{section}.{name}"), value));
    }
    if !typed.iter().any(|(name, _)| name == "learn.every") {
        return Err("every=N is missing, e.g. every=5000".to_owned());
    }
    Ok(SelfImprove(typed))
}

impl Common {
    /// The settings: the configuration file's where one is given, and what was typed over them.
    ///
    /// # Errors
    /// The file is not to be read or holds something wrong.
    pub fn settings(&self) -> Result<Table, evolve::Error> {
        let mut settings = match &self.config {
            Some(path) => settings::load(path)?,
            None => settings::defaults(),
        };
        self.lay(&mut settings);
        Ok(settings)
    }

    /// Writes what was typed over the settings.
    pub fn lay(&self, settings: &mut Table) {
        if let Some(tier) = self.python {
            let tier = Value::try_from(tier).expect("plain data");
            set(settings, "python.tier", tier);
        }
        self.cage.apply(settings);
    }
}

impl EvolveArgs {
    /// The settings as resolved.
    ///
    /// # Errors
    /// A configuration file that cannot be read, or an operator that is not known.
    pub fn settings(&self) -> Result<Table, evolve::Error> {
        let mut settings = self.common.settings()?;
        self.models.apply(&mut settings);
        if !self.operators.is_empty() {
            mutate::choose(&mut settings, &self.operators)?;
        }
        if let Some(SelfImprove(typed)) = &self.self_improve {
            if self.models.endpoint.is_none() {
                overwrite(&mut settings, "learned.base", &self.models.model);
            }
            for (path, value) in typed {
                set(&mut settings, path, value.clone());
            }
        }
        let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        overwrite(&mut settings, "seed", &self.seed);
        overwrite(&mut settings, "sodarace.terrain", &self.terrain);
        overwrite(&mut settings, "sodarace.seconds", &self.seconds);
        overwrite(&mut settings, "evaluations", &self.evaluations.map(number));
        overwrite(&mut settings, "rng", &self.rng.map(number));
        let threads = self.threads.map(|n| number(n as u64));
        overwrite(&mut settings, "threads", &threads);
        Ok(settings)
    }
}

/// Writes what was typed, if it was.
fn overwrite<T: Clone + Into<Value>>(settings: &mut Table, path: &str, typed: &Option<T>) {
    if let Some(value) = typed {
        set(settings, path, value.clone());
    }
}
