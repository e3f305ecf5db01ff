//! Mutation by a general language model behind an OpenAI-compatible endpoint (Lehman et al. 2022, section 2: "edit
//! mode" and the prompted model), asked for the whole changed program or for an edit.
//!
//! For each child one request is sent, several at a time; whatever the endpoint does, a child is a program or a typed
//! failure. The model's own chance is the server's: the run's streams decide what is asked and the seed that is sent,
//! and the answers stand in the store.

mod address;
mod answer;
mod ask;
mod client;
mod crowd;
mod key;
mod outcome;
mod settings;
mod shape;
mod sse;
mod wire;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use edit::source::canonical;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde_json::{Map, Value};

use crate::Error;
use crate::brief::{Brief, Messages};
use crate::kind::{Kind, Recipe, Workshop};
use crate::operator::{Operator, Request, Tray};
use crate::reason::{ENDPOINT_TIMEOUT, ENDPOINT_UNREACHABLE};
use ask::Ask;
use client::{Client, Failure};
use crowd::{Crowd, Job};
use settings::setting;

pub use ask::FIX_BUGS;
pub use settings::{Answer, Api, Settings};

/// A language model behind an endpoint.
pub static KIND: Kind = Kind {
    name: "prompt",
    about: "A language model behind an endpoint",
    weight: 0.0,
    settings: settings::COMMENTED,
    read: |settings| {
        let own: Settings = crate::settings::section(settings, KIND.name)?;
        Ok(Box::new(own))
    },
};

impl Recipe for Settings {
    fn check(&self, _: &Brief) -> Result<(), Error> {
        Settings::check(self)
    }

    fn make(&self, workshop: &mut Workshop<'_>) -> Result<Box<dyn Operator>, Error> {
        let prompt = Prompt::new(self.clone(), workshop.brief)?;
        prompt.probe()?;
        let model = self.model.clone();
        workshop
            .made_with
            .insert("endpoint's model".to_owned(), model);
        Ok(Box::new(prompt))
    }
}

/// Names listed where a model is not known.
const LISTED: usize = 20;

/// The operator *prompt*: a language model behind an endpoint.
///
/// Failures of children have the codes `endpoint-unreachable`, `endpoint-timeout`, `endpoint-status`,
/// `endpoint-answer`, `endpoint-down`, `answer-empty`, `answer-too-long`, `answer-no-program`,
/// `answer-unchanged` and `edit-does-not-apply`.
#[derive(Debug)]
pub struct Prompt {
    settings: Settings,
    messages: Messages,
    entry: String,
    extra: Map<String, Value>,
    client: Arc<Client>,
    /// Iterations in a row that ended with the endpoint given up.
    down: u32,
}

impl Prompt {
    /// The operator, with the key from the environment. Sends nothing yet; see [`Prompt::probe`].
    ///
    /// # Errors
    /// A setting out of its range, no endpoint or model, or a key that cannot be sent.
    pub fn new(settings: Settings, brief: &Brief) -> Result<Self, Error> {
        settings.check()?;
        Ok(Self {
            extra: settings.extra_fields()?,
            client: Arc::new(Client::new(&settings)?),
            messages: brief.told(),
            entry: brief.entry.clone(),
            settings,
            down: 0,
        })
    }

    /// Asks the endpoint which models it serves, and for a change of a program of two lines as the run will ask, so that
    /// a run does not begin in vain. What the answer holds does not matter.
    ///
    /// # Errors
    /// The endpoint cannot be reached, wants another key, does not know the model (the error lists those it
    /// serves), or refuses a request made with these settings.
    pub fn probe(&self) -> Result<(), Error> {
        let listed = match self.client.get("models") {
            Ok(answer) => wire::models(&answer)
                .into_iter()
                .take(LISTED)
                .map(str::to_owned)
                .collect(),
            Err(failure)
                if [ENDPOINT_UNREACHABLE.name, ENDPOINT_TIMEOUT.name]
                    .contains(&failure.reason.code.as_str()) =>
            {
                return Err(self.unusable(&failure, &[]));
            }
            // Not every server has the list or shows it to every key; the request below tells what matters.
            Err(_) => Vec::new(),
        };
        let ask = Ask {
            parent: "def f():\n    return 1\n",
            partner: None,
            message: self.messages.first(),
        };
        let settings = &self.settings;
        let (prompt, _) = ask.prompt(settings.api, settings.answer, &settings.system);
        let body = wire::request(settings, &self.extra, &prompt, 1);
        let never = AtomicBool::new(false);
        let answer = self
            .client
            .post_repeatedly(
                prompt.path(),
                &body,
                settings.retries,
                &never,
                &AtomicBool::new(false),
            )
            .map_err(|failure| self.unusable(&failure, &listed))?;
        wire::Reply::read(&answer, settings.api, &prompt)
            .map(|_| ())
            .map_err(|why| {
                setting(
                    "endpoint",
                    self.client.odd(why, &answer).reason.message,
                    "give one that is compatible with OpenAI's interface, and the right prompt.api",
                )
            })
    }

    fn unusable(&self, failure: &Failure, listed: &[String]) -> Error {
        let Settings { key_env, model, .. } = &self.settings;
        let why = &failure.reason.message;
        match failure.status {
            Some(401 | 403) if self.client.has_key() => {
                setting("key_env", why, format!("put a valid key into ${key_env}"))
            }
            Some(401 | 403) => setting(
                "key_env",
                why,
                "name an environment variable with a key for this endpoint",
            ),
            Some(400 | 404) if !listed.is_empty() && !listed.iter().any(|x| x == model) => setting(
                "model",
                format!("{why} ({model:?} is not among its models)"),
                format!("choose from: {}", self.client.blank(listed.join(", "))),
            ),
            Some(400..=499) if why.contains("temperature") => setting(
                "temperature",
                why,
                "mend it, or set prompt.send_temperature = false to send none",
            ),
            Some(400..=499) if why.contains("stream") => {
                setting("stream", why, "set prompt.stream as the server wants it")
            }
            Some(404) => setting(
                "endpoint",
                why,
                "mend its path (it mostly ends in /v1), prompt.model or prompt.api",
            ),
            Some(400..=499) => setting(
                "endpoint",
                why,
                "mend what the endpoint complains of in the [prompt] settings",
            ),
            _ => setting(
                "endpoint",
                why,
                "see whether the server runs, and at that address",
            ),
        }
    }

    /// One child's request, as the replica's stream draws it.
    fn job(&self, place: (usize, usize), request: &Request<'_>, rng: &mut ChaCha8Rng) -> Job {
        let Settings {
            api,
            answer,
            system,
            crossover,
            ..
        } = &self.settings;
        let message = self.messages.draw(rng);
        let cross = rng.random::<f64>() < *crossover;
        // 31 bits: there are servers that take no more.
        let seed = rng.random::<u32>() >> 1;
        let parent = canonical(request.parent);
        let partner = request.partner.filter(|_| cross).map(canonical);
        let partner = partner.as_deref().filter(|partner| *partner != parent);
        let ask = Ask {
            parent: &parent,
            partner,
            message,
        };
        let (prompt, opening) = ask.prompt(*api, *answer, system);
        Job {
            place,
            told: message.to_owned(),
            body: wire::request(&self.settings, &self.extra, &prompt, seed),
            prompt,
            opening,
            crossed: partner.is_some(),
            parent: parent.clone().into_owned(),
            entry: self.entry.clone(),
        }
    }
}

impl Operator for Prompt {
    fn propose(
        &mut self,
        requests: &mut [Request<'_>],
        tray: &mut dyn Tray,
        stop: &AtomicBool,
    ) -> Result<(), Error> {
        let mut jobs = Vec::new();
        for (index, request) in requests.iter().enumerate() {
            let mut rng = request.rng.clone();
            for child in 0..request.count() {
                // Those that are not wanted take their turn of the stream.
                let job = self.job((index, child), request, &mut rng);
                if request.wanted[child] {
                    jobs.push(job);
                }
            }
        }
        if jobs.is_empty() {
            return Ok(());
        }
        let crowd = Crowd::new(&self.settings, &self.client, jobs, self.down > 0);
        let Some(over) = crowd.work(tray, stop) else {
            // What is still under way ends now; connections of this client are closed for good.
            let fresh = Arc::new(self.client.afresh());
            std::mem::replace(&mut self.client, fresh).shut_down();
            return Ok(());
        };
        self.down = if over.given_up { self.down + 1 } else { 0 };
        let limit = self.settings.end_after_iterations;
        // After what was paid for, the next iteration ends the run.
        if limit > 0 && self.down >= limit && !over.paid {
            return Err(Error::Operator {
                name: "prompt".to_owned(),
                why: format!(
                    "{} did not answer in {limit} iterations in a row",
                    self.client.base()
                ),
                mend:
                    "see to the server and resume the run, or set prompt.end_after_iterations = 0"
                        .to_owned(),
            });
        }
        for ((request, child), proposal) in over.failed {
            tray.hand(request, child, proposal);
        }
        Ok(())
    }

    fn is_dear(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::brief::Message;

    fn operator(change: impl Fn(&mut Settings)) -> Prompt {
        let mut settings = Settings {
            endpoint: "http://127.0.0.1:9".into(),
            model: "m".into(),
            key_env: String::new(),
            ..Settings::default()
        };
        change(&mut settings);
        let share = |message: &str, weight| Message {
            message: message.to_owned(),
            weight,
        };
        let brief = Brief {
            entry: "make_walker".to_owned(),
            messages: vec![
                share("Changed {entry} function.", 0.4),
                share("Changed parameters in {entry} function.", 0.3),
                share("Small change to {entry} function.", 0.3),
            ],
            ..Brief::default()
        };
        Prompt::new(settings, &brief).unwrap()
    }

    fn request(partner: Option<&str>) -> Request<'_> {
        use rand::SeedableRng;
        Request {
            partner,
            ..Request::new("def f(): return 1", 0, ChaCha8Rng::seed_from_u64(7))
        }
    }

    fn jobs(prompt: &Prompt, partner: Option<&str>) -> Vec<Job> {
        let request = request(partner);
        let mut rng = request.rng.clone();
        let job = |child| prompt.job((0, child), &request, &mut rng);
        (0..400).map(job).collect()
    }

    #[test]
    fn what_is_asked_is_a_function_of_the_stream() {
        let prompt = operator(|s| s.crossover = 0.5);
        let bodies = |x: &[Job]| x.iter().map(|job| job.body.clone()).collect::<Vec<_>>();
        let partner = Some("def g(): return 2");
        let (first, again) = (jobs(&prompt, partner), jobs(&prompt, partner));
        assert_eq!(bodies(&first), bodies(&again));
        let crossed = first.iter().filter(|job| job.crossed).count();
        assert!((150..250).contains(&crossed), "{crossed}");
        let seeds: std::collections::HashSet<_> =
            first.iter().map(|job| job.body["seed"].as_u64()).collect();
        assert!(seeds.len() > 390);
        assert!(seeds.iter().all(|seed| seed.unwrap() < 1 << 31));
    }

    #[test]
    fn messages_are_drawn_by_their_weights() {
        let jobs = jobs(&operator(|_| {}), None);
        let share = |word| {
            jobs.iter()
                .filter(|job| job.body.to_string().contains(word))
                .count()
        };
        let [function, parameters, small] = [
            "Changed make_walker",
            "Changed parameters in",
            "Small change to",
        ]
        .map(share);
        assert_eq!(function + parameters + small, 400);
        assert!((130..190).contains(&function), "{function}");
        assert!((90..150).contains(&parameters), "{parameters}");
    }

    #[test]
    fn nobody_is_crossed_with_itself_or_with_nobody() {
        let prompt = operator(|s| s.crossover = 1.0);
        for partner in [None, Some("def f(): return 1")] {
            assert!(jobs(&prompt, partner).iter().all(|job| !job.crossed));
        }
        assert!(jobs(&prompt, Some("x = 1")).iter().all(|job| job.crossed));
    }
}
