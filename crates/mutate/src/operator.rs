//! What an operator is: requests in, proposals out, one by one.

use std::sync::atomic::AtomicBool;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use crate::{Error, Learner, Reason};

/// One replica's share of an iteration: several changes of one parent.
pub struct Request<'a> {
    /// The program to change.
    pub parent: &'a str,
    /// Another champion of the map, for an operator that crosses two.
    pub partner: Option<&'a str>,
    /// A flag for each child: whether it is wanted. One that is not (it is there already, or past the end of the run)
    /// need not be handed over; it is listed so that an operator may depend on its whole call.
    pub wanted: Vec<bool>,
    /// This replica's own random stream; the only source of chance there is.
    pub rng: ChaCha8Rng,
}

impl<'a> Request<'a> {
    /// A request for `count` children, all of them wanted, without a partner.
    pub fn new(parent: &'a str, count: usize, rng: ChaCha8Rng) -> Self {
        Self {
            parent,
            partner: None,
            wanted: vec![true; count],
            rng,
        }
    }

    /// How many children it lists, wanted or not.
    pub fn count(&self) -> usize {
        self.wanted.len()
    }

    /// A random stream for each child, drawn from the replica's.
    pub(crate) fn streams(&mut self) -> Vec<ChaCha8Rng> {
        (0..self.count())
            .map(|_| ChaCha8Rng::seed_from_u64(self.rng.random()))
            .collect()
    }
}

/// A proposed child.
#[derive(Clone, Debug, PartialEq)]
pub struct Proposal {
    /// The changed program, or why the operator's change does not apply
    /// (such a child counts as proposed but not as *valid*).
    pub program: Result<String, Reason>,
    /// Whether the request's partner had a part in it.
    pub crossed: bool,
    /// What the operator was told for this child: a commit message or an instruction; none where it is told nothing.
    pub told: Option<String>,
    /// The generation of the weights that wrote it, 0 as loaded; none where no model of our own wrote it.
    pub weights: Option<u32>,
    /// What it took.
    pub cost: Cost,
}

/// What a proposal took. The costs of all children add up to the cost of their calls: what children share is counted once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Cost {
    /// Tokens of its prompt; one shared by children of a call counts for the first of them.
    pub prompt_tokens: u32,
    /// Tokens written.
    pub tokens: u32,
    /// Seconds of proposing; the one part that no two runs share. Where an operator gives none, those since the child
    /// before it was handed over are taken.
    #[serde(rename = "propose_seconds")]
    pub seconds: f64,
    /// Price in dollars, where the settings name one.
    pub dollars: f64,
}

/// What was asked for outside and never came: requests on their way when an operator was told to stop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Lost {
    /// How many.
    pub requests: u64,
    /// Tokens of their prompts.
    pub prompt_tokens: u64,
    /// What those cost, in dollars, where the settings name a price. What the model wrote meanwhile is not known.
    pub dollars: f64,
}

impl From<Result<String, Reason>> for Proposal {
    /// A proposal that cost nothing worth counting.
    fn from(program: Result<String, Reason>) -> Self {
        Self {
            program,
            crossed: false,
            told: None,
            weights: None,
            cost: Cost::default(),
        }
    }
}

/// Takes what an operator hands over.
pub trait Tray: Send {
    /// The proposal for a child of a request, both counted from 0.
    fn hand(&mut self, request: usize, child: usize, proposal: Proposal);

    /// What was asked for and will not come.
    fn lose(&mut self, lost: Lost);
}

/// A mutation operator. It works in a thread of its own, beside the evaluation.
///
/// What it proposes is a function of the requests of a call alone (but for which children are wanted), so that a run
/// can be repeated, resumed and made longer: a resumed run makes the same call again and takes what is missing. Of one that
/// learns, it is a function of the last round of learning as well ([`Learner`]).
pub trait Operator: Send {
    /// Hands over a proposal for each wanted child of each request, in any order, each as soon as it is there. What it
    /// hands over of children that are not wanted is dropped. One call is one iteration's requests to this operator.
    ///
    /// Once `stop` is set it returns within half a second and tells the tray what is lost.
    ///
    /// # Errors
    /// What keeps it from proposing anything more; it ends the run, which can be resumed. What goes wrong with a single
    /// child belongs in its [`Proposal`].
    fn propose(
        &mut self,
        requests: &mut [Request<'_>],
        tray: &mut dyn Tray,
        stop: &AtomicBool,
    ) -> Result<(), Error>;

    /// Whether its proposals cannot be had again, or not for nothing: then each is stored when it is handed over, and
    /// not asked for again by a resumed run.
    fn is_dear(&self) -> bool {
        false
    }

    /// Itself as one that learns from the run, where it is one.
    fn learner(&mut self) -> Option<&mut dyn Learner> {
        None
    }
}

/// All proposals of one call, by request and child: `None` where none was handed over.
///
/// # Errors
/// The operator's.
pub fn gather(
    operator: &mut dyn Operator,
    requests: &mut [Request<'_>],
    stop: &AtomicBool,
) -> Result<Vec<Vec<Option<Proposal>>>, Error> {
    let counts: Vec<usize> = requests.iter().map(Request::count).collect();
    let mut gathered = Gathered::new(&counts);
    operator.propose(requests, &mut gathered, stop)?;
    Ok(gathered.0)
}

/// A tray that keeps what it is handed, by request and child.
pub(crate) struct Gathered(pub Vec<Vec<Option<Proposal>>>);

impl Gathered {
    /// For requests of so many children.
    pub fn new(counts: &[usize]) -> Self {
        Self(counts.iter().map(|count| vec![None; *count]).collect())
    }
}

impl Tray for Gathered {
    fn hand(&mut self, request: usize, child: usize, proposal: Proposal) {
        self.0[request][child] = Some(proposal);
    }

    fn lose(&mut self, _: Lost) {}
}
