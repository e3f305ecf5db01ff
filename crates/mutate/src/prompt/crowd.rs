//! Many requests at a time, their answers in order, and an end to asking where an endpoint is down.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use super::answer::{self, Parent, STACK};
use super::client::Client;
use super::settings::{Api, Settings};
use super::wire::{Prompt, Reply};
use crate::operator::{Cost, Lost, Proposal, Tray};
use crate::reason::{ANSWER_NO_PROGRAM, ENDPOINT_DOWN, Reason};

/// How soon a stop is noticed.
const WATCH: Duration = Duration::from_millis(50);

/// One child to ask for.
#[derive(Debug)]
pub(super) struct Job {
    /// Its request and child, as the tray counts them.
    pub place: (usize, usize),
    /// The message drawn for it.
    pub told: String,
    /// The request.
    pub body: Value,
    /// What it asks.
    pub prompt: Prompt,
    /// What a completion goes on from.
    pub opening: String,
    /// The program to change.
    pub parent: String,
    /// The function that the host calls.
    pub entry: String,
    /// Whether a partner is shown.
    pub crossed: bool,
}

/// The requests of one iteration and the threads that send them. These own all they need, since one that hangs in
/// a connection must not keep a stopped run from its end.
pub(super) struct Crowd(Arc<Shared>);

struct Shared {
    settings: Settings,
    client: Arc<Client>,
    jobs: Vec<Job>,
    /// Of each job, whether a request is on its way.
    sent: Vec<AtomicBool>,
    /// The next job to take.
    next: AtomicUsize,
    /// Requests in a row that the endpoint failed.
    failures: AtomicU32,
    /// The last of them.
    last: Mutex<Option<Reason>>,
    halt: AtomicBool,
    /// Whether the first request tells if the endpoint is up again: it goes alone.
    probing: bool,
}

/// How an iteration's requests ended.
pub(super) struct Over {
    /// Whether the endpoint was given up.
    pub given_up: bool,
    /// Whether anything was paid for.
    pub paid: bool,
    /// The failures that cost nothing, not handed over yet, with their places.
    pub failed: Vec<((usize, usize), Proposal)>,
}

impl Crowd {
    pub fn new(settings: &Settings, client: &Arc<Client>, jobs: Vec<Job>, probing: bool) -> Self {
        let failures = if probing {
            settings.give_up_after - 1
        } else {
            0
        };
        Self(Arc::new(Shared {
            settings: settings.clone(),
            client: client.clone(),
            sent: jobs.iter().map(|_| AtomicBool::new(false)).collect(),
            jobs,
            next: AtomicUsize::new(0),
            failures: AtomicU32::new(failures),
            last: Mutex::new(None),
            halt: AtomicBool::new(false),
            probing,
        }))
    }

    /// Hands over answers as they come, and in the end the failures that cost nothing; nothing more once `stop` is set
    /// but what is there by then.
    pub fn work(self, tray: &mut dyn Tray, stop: &AtomicBool) -> Option<Over> {
        let shared = &self.0;
        let count = shared.jobs.len();
        let full = shared.settings.concurrency.min(count);
        let (sender, results) = channel();
        let mut workers = if shared.probing { 1 } else { full };
        (0..workers).for_each(|_| self.spawn(sender.clone()));
        let mut failed = Vec::new();
        let mut take = |(index, proposal): (usize, Proposal)| {
            let place = shared.jobs[index].place;
            match proposal.cost == Cost::default() {
                true => failed.push((place, proposal)),
                false => tray.hand(place.0, place.1, proposal),
            }
        };
        for _ in 0..count {
            let Some(result) = self.next(&results, stop) else {
                while let Ok(result) = results.try_recv() {
                    take(result);
                }
                tray.lose(shared.lost());
                return None;
            };
            take(result);
            if workers < full && !shared.given_up() {
                (workers..full).for_each(|_| self.spawn(sender.clone()));
                workers = full;
            }
        }
        Some(Over {
            given_up: shared.given_up(),
            paid: failed.len() < count,
            failed,
        })
    }

    /// The next result, unless `stop` comes before it.
    fn next(
        &self,
        results: &Receiver<(usize, Proposal)>,
        stop: &AtomicBool,
    ) -> Option<(usize, Proposal)> {
        loop {
            if stop.load(SeqCst) {
                self.0.halt.store(true, SeqCst);
                return None;
            }
            match results.recv_timeout(WATCH) {
                Ok(result) => return Some(result),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return None,
            }
        }
    }

    fn spawn(&self, results: Sender<(usize, Proposal)>) {
        let shared = self.0.clone();
        let work = move || {
            while let Some(result) = shared.take() {
                if results.send(result).is_err() {
                    return;
                }
            }
        };
        let thread = thread::Builder::new().stack_size(STACK).spawn(work);
        thread.expect("threads for the requests");
    }
}

impl Shared {
    fn given_up(&self) -> bool {
        self.failures.load(SeqCst) >= self.settings.give_up_after
    }

    /// Does the next job, if there is one.
    fn take(&self) -> Option<(usize, Proposal)> {
        let index = self.next.fetch_add(1, SeqCst);
        let job = self.jobs.get(index)?;
        if self.halt.load(SeqCst) {
            return None;
        }
        let (program, cost) = if self.given_up() {
            (Err(self.down()), Cost::default())
        } else {
            // A worker that panicked would be waited for.
            let asked = catch_unwind(AssertUnwindSafe(|| self.ask(index, job)));
            asked.unwrap_or_else(|_| {
                let why = "reading the answer panicked; this is a mistake here, please report it";
                (Err(Reason::new(&ANSWER_NO_PROGRAM, why)), Cost::default())
            })
        };
        let proposal = Proposal {
            program,
            crossed: job.crossed,
            told: Some(job.told.clone()),
            weights: None,
            cost,
        };
        Some((index, proposal))
    }

    /// What is on its way.
    fn lost(&self) -> Lost {
        let mut lost = Lost::default();
        for (job, _) in self
            .jobs
            .iter()
            .zip(&self.sent)
            .filter(|(_, sent)| sent.load(SeqCst))
        {
            let tokens = job.prompt.guessed_tokens();
            lost.requests += 1;
            lost.prompt_tokens += u64::from(tokens);
            lost.dollars +=
                f64::from(tokens) * self.settings.dollars_per_million_prompt_tokens / 1e6;
        }
        lost
    }

    /// The failure of a child that is not asked for.
    fn down(&self) -> Reason {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let last = last.as_ref().map_or("", |last| last.message.as_str());
        Reason::new(
            &ENDPOINT_DOWN,
            format!(
                "not asked for, since {} requests in a row failed; the last: {last}",
                self.settings.give_up_after
            ),
        )
    }

    fn ask(&self, index: usize, job: &Job) -> (Result<String, Reason>, Cost) {
        let retries = self.settings.retries;
        let answer = self
            .client
            .post_repeatedly(
                job.prompt.path(),
                &job.body,
                retries,
                &self.halt,
                &self.sent[index],
            )
            .and_then(|answer| {
                Reply::read(&answer, self.settings.api, &job.prompt)
                    .map_err(|why| self.client.odd(why, &answer))
            });
        match answer {
            Ok(reply) => {
                self.failures.store(0, SeqCst);
                self.read(job, reply)
            }
            Err(failure) => {
                if failure.blames_endpoint() {
                    *self.last.lock().unwrap_or_else(PoisonError::into_inner) =
                        Some(failure.reason.clone());
                    self.failures.fetch_add(1, SeqCst);
                } else {
                    self.failures.store(0, SeqCst);
                }
                (Err(failure.reason), Cost::default())
            }
        }
    }

    /// What an answer amounts to, and its price. The seconds are left to the search, which takes those between answers:
    /// those of requests that overlap have no sum.
    fn read(&self, job: &Job, reply: Reply) -> (Result<String, Reason>, Cost) {
        let settings = &self.settings;
        let cost = Cost {
            prompt_tokens: reply.prompt_tokens - reply.cached,
            tokens: reply.tokens,
            seconds: 0.0,
            dollars: (f64::from(reply.prompt_tokens) * settings.dollars_per_million_prompt_tokens
                + f64::from(reply.tokens) * settings.dollars_per_million_completion_tokens)
                / 1e6,
        };
        let reply = Reply {
            text: self.client.blank(reply.text),
            instead: reply.instead.map(|text| self.client.blank(text)),
            ..reply
        };
        let parent = Parent {
            program: &job.parent,
            entry: &job.entry,
        };
        let program = match settings.api {
            Api::Chat => answer::of_chat(&reply, settings.answer, parent),
            Api::Completions => answer::of_completion(&job.opening, &reply, parent),
        };
        (program, cost)
    }
}
