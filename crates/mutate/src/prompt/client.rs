//! The HTTP side: bounded requests, typed failures, repetition where it may help.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use lm::pull::http::{is_loopback, roots, tls};
use serde_json::Value;
use ureq::Agent;
use ureq::http::{Uri, header};

use super::address::base_url;
use super::key::Key;
use super::settings::{Settings, setting};
use super::shape::Shape;
use crate::Error;
use crate::reason::{Code, Reason, STOPPED};

/// The longest wait before a repetition, whatever the server asks for.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// Characters kept of what a server says.
const QUOTED: usize = 300;
/// Connections are dropped after this long unused: servers close theirs after about five seconds.
const IDLE_CONNECTION: Duration = Duration::from_secs(3);

/// Why a request came to nothing.
#[derive(Debug)]
pub(super) struct Failure {
    /// For the store.
    pub reason: Reason,
    /// The status, where there was an answer.
    pub status: Option<u16>,
    /// Whether repeating it may help, and the least wait that the server asks for.
    pub retry: Option<Duration>,
    /// What the server says of it.
    pub said: String,
}

impl Failure {
    /// One that no repetition helps against.
    pub fn new(code: &'static Code, message: impl Into<String>) -> Self {
        Self {
            reason: Reason::new(code, message),
            status: None,
            retry: None,
            said: String::new(),
        }
    }

    pub fn retried(self) -> Self {
        Self {
            retry: Some(Duration::ZERO),
            ..self
        }
    }

    /// Whether it speaks against the endpoint, not just against this one request.
    pub fn blames_endpoint(&self) -> bool {
        !matches!(self.status, Some(400 | 413 | 422)) && self.reason.code.starts_with("endpoint-")
    }
}

/// One endpoint, with a pool of connections to it.
#[derive(Debug)]
pub(super) struct Client {
    agent: Agent,
    pub(super) base: String,
    key: Option<Key>,
    pub(super) limit: u64,
    backoff: Duration,
    /// What the server was found to want, kept for the run.
    shape: Arc<Mutex<Shape>>,
}

impl Client {
    /// A client for the endpoint of the settings; nothing is sent yet.
    ///
    /// # Errors
    /// An endpoint that cannot be, a key that cannot be sent, no certificates to check the endpoint's with.
    pub fn new(settings: &Settings) -> Result<Self, Error> {
        let base = base_url(&settings.endpoint)?;
        let key = Key::from_env(&settings.key_env)?;
        let uri: Uri = base.parse().expect("checked by base_url");
        let https = uri.scheme_str() == Some("https");
        let local = uri.host().is_some_and(is_loopback);
        let roots = if https { roots() } else { Vec::new() };
        if https && roots.is_empty() {
            return Err(setting(
                "endpoint",
                "this machine has no root certificates to check its certificate with",
                "install them (on Debian: the package ca-certificates)",
            ));
        }
        if key.is_some() && !https && !local {
            return Err(setting(
                "endpoint",
                format!(
                    "the key in ${} would cross the network unprotected",
                    settings.key_env
                ),
                "use https or a tunnel to localhost, or set key_env = \"\" to send no key",
            ));
        }
        let timeout = Duration::from_secs_f64(settings.timeout_seconds);
        let idle = Duration::from_secs_f64(settings.idle_seconds);
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            // A redirect would take the program, and perhaps the key, to a place that nobody named.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(concat!("samara/", env!("CARGO_PKG_VERSION")))
            .accept("application/json, text/event-stream")
            .max_idle_connections_per_host(settings.concurrency)
            .max_idle_connections(settings.concurrency)
            .max_idle_age(IDLE_CONNECTION)
            .timeout_connect(Some(timeout.min(Duration::from_secs(10))))
            .timeout_per_read(Some(idle))
            .timeout_per_write(Some(idle))
            .timeout_global(Some(timeout))
            .tls_config(tls(&roots));
        if local {
            config = config.proxy(None);
        }
        Ok(Self {
            agent: config.build().new_agent(),
            base,
            key,
            limit: u64::from(settings.max_answer_kb) * 1024,
            backoff: Duration::from_secs_f64(settings.backoff_seconds),
            shape: Arc::default(),
        })
    }

    /// Where it asks.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Whether there is a key to show.
    pub fn has_key(&self) -> bool {
        self.key.is_some()
    }

    /// The same client with connections of its own.
    pub fn afresh(&self) -> Self {
        Self {
            agent: self.agent.config().new_agent(),
            base: self.base.clone(),
            key: self.key.clone(),
            shape: self.shape.clone(),
            ..*self
        }
    }

    /// Ends all requests under way; the client is of no use afterwards.
    pub fn shut_down(&self) {
        self.agent.clone().shutdown();
    }

    /// Blanks the key in what a server wrote.
    pub fn blank(&self, text: String) -> String {
        match &self.key {
            Some(key) => key.blank(text),
            None => text,
        }
    }

    /// One GET.
    pub fn get(&self, path: &str) -> Result<Value, Failure> {
        let mut request = self.agent.get(format!("{}/{path}", self.base));
        if let Some(key) = &self.key {
            request = request.header(header::AUTHORIZATION, key.header());
        }
        self.outcome(request.call())
    }

    /// One POST of a JSON body.
    pub fn post(&self, path: &str, body: &str) -> Result<Value, Failure> {
        let mut request = self
            .agent
            .post(format!("{}/{path}", self.base))
            .header(header::CONTENT_TYPE, "application/json");
        if let Some(key) = &self.key {
            request = request.header(header::AUTHORIZATION, key.header());
        }
        self.outcome(request.send(body))
    }

    /// A POST, repeated up to `retries` times where that may help, unless `stop` is set meanwhile. `sent` is set while a
    /// request is on its way. A request that the server would have in another shape is sent in that, from then on.
    pub fn post_repeatedly(
        &self,
        path: &str,
        body: &Value,
        retries: u32,
        stop: &AtomicBool,
        sent: &AtomicBool,
    ) -> Result<Value, Failure> {
        let learned = || self.shape.lock().unwrap_or_else(PoisonError::into_inner);
        let mut shape = *learned();
        let mut attempt = 0;
        loop {
            if stop.load(Ordering::Relaxed) {
                return Err(Failure::new(&STOPPED, "the run was stopped"));
            }
            sent.store(true, Ordering::SeqCst);
            let answer = self.post(path, &shape.of(body));
            let failure = match answer {
                // Still on its way for all that is known: the stop cut it off.
                Err(_) if stop.load(Ordering::Relaxed) => {
                    return Err(Failure::new(&STOPPED, "the run was stopped"));
                }
                answer => {
                    sent.store(false, Ordering::SeqCst);
                    match answer {
                        Ok(value) => {
                            *learned() = shape;
                            return Ok(value);
                        }
                        Err(failure) => failure,
                    }
                }
            };
            let status = failure.status.unwrap_or_default();
            if let Some(other) = shape.taught(status, &failure.said, body) {
                log::info!("asked in another shape: {}", failure.reason.message);
                shape = other;
                continue;
            }
            let Some(asked) = failure.retry.filter(|_| attempt < retries) else {
                return Err(failure);
            };
            let wait = self
                .backoff
                .mul_f64(f64::from(1_u32 << attempt.min(16)) * jitter());
            attempt += 1;
            log::info!(
                "asked again ({attempt} of {retries}): {}",
                failure.reason.message
            );
            // Those told to wait alike do not come back at once.
            let spread = match asked.is_zero() {
                true => Duration::ZERO,
                false => self.backoff.mul_f64(jitter()),
            };
            nap(wait.max(asked).min(LONGEST_WAIT) + spread, stop);
        }
    }

    /// The beginning of what a server said, fit for a line of text.
    pub(super) fn quoted(&self, text: &str) -> String {
        let line: String = self
            .blank(text.to_owned())
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        let words = line.split_whitespace().collect::<Vec<_>>().join(" ");
        match words.char_indices().nth(QUOTED) {
            Some((end, _)) => format!("{}...", &words[..end]),
            None => words,
        }
    }
}

/// A factor from 0.5 to 1.5, so that requests which failed together are not repeated together.
/// Not of the run's random streams: what it changes is time alone.
fn jitter() -> f64 {
    use std::hash::{BuildHasher, RandomState};
    0.5 + RandomState::new().hash_one(Instant::now()) as f64 / u64::MAX as f64
}

/// Sleeps, but not past a stop.
fn nap(length: Duration, stop: &AtomicBool) {
    let end = Instant::now() + length;
    while !stop.load(Ordering::Relaxed) {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        std::thread::sleep(left.min(Duration::from_millis(50)));
    }
}
