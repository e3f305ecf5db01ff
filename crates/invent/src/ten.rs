//! The terrain embedding network (Lehman et al. 2022, section 3.3): of what is asked for it makes vectors that stand in front of the program.
//!
//! Either a few learned vectors for each context (*codes*), or a small residual network over the context's picture (*vision*).

use std::path::Path;

use lm::error::Fault;
use lm::train::{Adam, Step};
use lm::{Error, Tensor};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::net::{Field, Net, Parameters, Tape, normal};

/// What an inventor is asked for; for walkers a terrain.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Context {
    /// Its name.
    pub name: String,
    /// Under what programs are tried, as the domain reads it ([`evolve::domain::Case`]).
    pub condition: String,
    /// Its picture: [`HEIGHT`] rows of [`WIDTH`] values of 0 to 1, from the top.
    pub picture: Vec<f32>,
}

/// Rows of a context's picture.
pub const HEIGHT: usize = 48;
/// Columns of a context's picture.
pub const WIDTH: usize = 96;

/// How contexts become vectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Learned vectors for each known context.
    Codes,
    /// A network over the context's picture.
    Vision,
}

/// A terrain embedding network.
#[derive(Clone, Debug, PartialEq)]
pub struct Ten {
    kind: Kind,
    /// Contexts that have codes, by name.
    known: Vec<String>,
    width: usize,
    vectors: usize,
    parameters: Parameters,
    net: Option<Net>,
}

/// What [`Ten::backward`] needs of a forward pass.
#[derive(Clone, Debug)]
pub struct Passed {
    place: usize,
    tape: Option<Tape>,
}

/// How far vectors begin from the one that all begin with, beside its own size.
const APART: f32 = 1.0;

impl Ten {
    /// A network whose vectors begin near `like`, as many values as the model is wide: what stands before every text, which the model is used to see.
    pub fn new(kind: Kind, contexts: &[Context], vectors: usize, like: &[f32], seed: u64) -> Self {
        let width = like.len();
        let rng = &mut ChaCha8Rng::seed_from_u64(seed);
        let squares = like.iter().map(|x| x * x).sum::<f32>();
        let apart = APART * (squares / width as f32).sqrt();
        let mut parameters = Parameters::default();
        let mut net = None;
        match kind {
            Kind::Codes => {
                for (at, _) in contexts.iter().enumerate() {
                    let mut values = like.iter().cycle();
                    let value = || values.next().unwrap_or(&0.0) + apart * normal(rng);
                    parameters.add(&format!("codes.{at}"), &[vectors, width], value);
                }
            }
            Kind::Vision => {
                let bias = like.repeat(vectors);
                let size = [HEIGHT, WIDTH];
                net = Some(Net::new(&mut parameters, size, &bias, apart, rng));
            }
        }
        Self {
            kind,
            known: contexts
                .iter()
                .map(|context| context.name.clone())
                .collect(),
            width,
            vectors,
            parameters,
            net,
        }
    }

    /// How contexts become vectors.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Vectors in front of a program.
    pub fn vectors(&self) -> usize {
        self.vectors
    }

    /// The vectors for a context, row by row.
    ///
    /// # Errors
    /// `Error::Training` for a context without codes, or a picture of another size.
    pub fn forward(&self, context: &Context) -> Result<(Vec<f32>, Passed), Error> {
        match &self.net {
            None => {
                let place = self.known.iter().position(|name| *name == context.name);
                let place = place.ok_or_else(|| {
                    fault(
                        &context.name,
                        "is none that this inventor was trained for",
                        format!(
                            "choose from: {}; or train one that sees (--ten vision)",
                            self.known.join(", ")
                        ),
                    )
                })?;
                let vectors = self.parameters.values(place).to_vec();
                Ok((vectors, Passed { place, tape: None }))
            }
            Some(net) => {
                if context.picture.len() != WIDTH * HEIGHT {
                    let problem = format!("has a picture of {} values", context.picture.len());
                    let mend = format!("give {HEIGHT} rows of {WIDTH}");
                    return Err(fault(&context.name, problem, mend));
                }
                let picture = Field::picture(HEIGHT, WIDTH, context.picture.clone());
                let (vectors, tape) = net.forward(&self.parameters, &picture);
                let tape = Some(tape);
                Ok((vectors, Passed { place: 0, tape }))
            }
        }
    }

    /// Adds the gradient of an objective of which this is the vectors' gradient.
    pub fn backward(&mut self, passed: &Passed, gradient: &[f32]) {
        match (&self.net, &passed.tape) {
            (Some(net), Some(tape)) => net.backward(&mut self.parameters, tape, gradient),
            _ => {
                let own = self.parameters.gradient(passed.place);
                own.iter_mut().zip(gradient).for_each(|(own, g)| *own += g);
            }
        }
    }

    /// One step up the gathered gradient; returns its norm.
    pub fn update(&mut self, step: Step) -> f32 {
        self.parameters.update(Adam::default(), step)
    }

    /// The tensors by name.
    pub fn tensors(&self) -> Vec<(String, Tensor)> {
        self.parameters.tensors()
    }

    /// All that an update changes.
    pub fn state(&self) -> Vec<(String, Tensor)> {
        self.parameters.state()
    }

    /// Takes tensors or a state back.
    ///
    /// # Errors
    /// `Error::Damaged` for a tensor that is missing, of another shape or not finite.
    pub fn restore(&mut self, path: &Path, state: &[(String, Tensor)]) -> Result<(), Error> {
        self.parameters.restore(state).map_err(|name| {
            Error::Damaged(Fault::new(
                path,
                format!("tensor {name}"),
                "is missing, of another shape, or not finite",
                "give the file as it was written",
            ))
        })
    }
}

fn fault(name: &str, problem: impl Into<String>, mend: impl Into<String>) -> Error {
    Error::Training(Fault::new(Path::new("the terrain"), name, problem, mend))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contexts() -> Vec<Context> {
        let context = |name: &str, from: usize| Context {
            name: name.to_owned(),
            condition: String::new(),
            picture: (0..WIDTH * HEIGHT)
                .map(|at| if at / WIDTH >= from { 1.0 } else { 0.0 })
                .collect(),
        };
        vec![context("low", 40), context("high", 20)]
    }

    const STEP: Step = Step {
        rate: 1e-2,
        decay: 0.0,
        clip: 1.0,
    };

    #[test]
    fn both_kinds_tell_contexts_apart_and_learn() {
        let like = [0.5, -0.5, 1.0, 0.25];
        for kind in [Kind::Codes, Kind::Vision] {
            let mut ten = Ten::new(kind, &contexts(), 2, &like, 7);
            assert_eq!(ten, Ten::new(kind, &contexts(), 2, &like, 7));
            for (context, goal) in contexts().iter().zip([1.0, -1.0]) {
                let (before, _) = ten.forward(context).unwrap();
                assert_eq!(before.len(), 8);
                let fresh = Ten::new(kind, &contexts(), 2, &like, 7);
                let (fresh, _) = fresh.forward(context).unwrap();
                let pairs = fresh.iter().zip(like.iter().cycle());
                assert!(pairs.map(|(a, b)| (a - b).abs()).all(|apart| apart < 6.0));
                for _ in 0..5 {
                    let (_, passed) = ten.forward(context).unwrap();
                    ten.backward(&passed, &[goal; 8]);
                    assert!(ten.update(STEP) > 0.0);
                }
                let (after, _) = ten.forward(context).unwrap();
                let moved: f32 = after.iter().zip(&before).map(|(a, b)| (a - b) * goal).sum();
                assert!(moved > 0.0, "{kind:?} {moved}");
            }
            let mut other = Ten::new(kind, &contexts(), 2, &like, 8);
            assert_ne!(other, ten);
            other.restore(Path::new("x"), &ten.state()).unwrap();
            assert_eq!(other, ten);
            assert!(other.restore(Path::new("x"), &[]).is_err());
        }
    }

    #[test]
    fn contexts_that_cannot_be() {
        let unknown = Context {
            name: "other".to_owned(),
            ..contexts().remove(0)
        };
        let codes = Ten::new(Kind::Codes, &contexts(), 1, &[1.0], 0);
        let error = codes.forward(&unknown).unwrap_err().to_string();
        assert!(
            error.contains("other") && error.contains("low, high"),
            "{error}"
        );
        let vision = Ten::new(Kind::Vision, &contexts(), 1, &[1.0], 0);
        vision.forward(&unknown).unwrap();
        let blind = Context {
            picture: vec![0.0; 3],
            ..unknown
        };
        assert!(vision.forward(&blind).is_err());
    }
}
