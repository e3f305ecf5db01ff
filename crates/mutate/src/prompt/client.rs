//! The HTTP side: bounded requests, typed failures, repetition where it may help.

use std::io::{ErrorKind, Read};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use lm::pull::http::{is_loopback, retry_after, roots, tls};
use serde_json::Value;
use ureq::http::{Response, Uri, header};
use ureq::{Agent, Body, Timeout};

use super::address::base_url;
use super::key::Key;
use super::settings::{Settings, setting};
use super::sse::Events;
use super::wire::{self, Shape};
use crate::Error;
use crate::reason::{
    ANSWER_TOO_LONG, Code, ENDPOINT_ANSWER, ENDPOINT_STATUS, ENDPOINT_TIMEOUT,
    ENDPOINT_UNREACHABLE, Reason, STOPPED,
};

/// The longest wait before a repetition, whatever the server asks for.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// Bytes read of a body that explains a failure.
const EXPLANATION: u64 = 16 * 1024;
/// Bytes that come for one that is kept, at most, where an answer comes piece by piece.
const EVENT: u64 = 512;
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
    said: String,
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

    fn retried(self) -> Self {
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
    base: String,
    key: Option<Key>,
    limit: u64,
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

    fn outcome(&self, answer: Result<Response<Body>, ureq::Error>) -> Result<Value, Failure> {
        let response = answer.map_err(|e| self.transport(&e))?;
        let status = response.status().as_u16();
        if !response.status().is_success() {
            let mut failure = self.refused(status, response);
            failure.status = Some(status);
            return Err(failure);
        }
        let kind = response.headers().get(header::CONTENT_TYPE);
        let kind = kind.and_then(|x| x.to_str().ok()).unwrap_or_default();
        let events = kind.to_ascii_lowercase().contains("event-stream");
        let body = response.into_body().into_reader();
        let answer = if events {
            self.events(body)?
        } else {
            self.whole(body)?
        };
        match wire::error(&answer) {
            Some(error) => Err(self.erred(error)),
            None => Ok(answer),
        }
    }

    /// An answer in one piece.
    fn whole(&self, body: impl Read) -> Result<Value, Failure> {
        let mut bytes = Vec::new();
        body.take(self.limit + 1)
            .read_to_end(&mut bytes)
            .map_err(|e| self.broken(e))?;
        if bytes.len() as u64 > self.limit {
            return Err(self.too_long());
        }
        if Events::are_in(&bytes) {
            return self.events(&bytes[..]);
        }
        if bytes.trim_ascii().is_empty() {
            let why = format!("{}: an empty answer", self.base);
            return Err(Failure::new(&ENDPOINT_ANSWER, why).retried());
        }
        let text = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&bytes);
        serde_json::from_slice(text).map_err(|e| {
            let said = self.quoted(&String::from_utf8_lossy(&bytes));
            let why = format!("{}: not JSON ({e}): {said}", self.base);
            let failure = Failure::new(&ENDPOINT_ANSWER, why);
            if e.is_eof() {
                failure.retried()
            } else {
                failure
            }
        })
    }

    /// An answer that comes piece by piece, up to its end, whether or not the server then closes the connection.
    fn events(&self, mut body: impl Read) -> Result<Value, Failure> {
        let mut events = Events::default();
        let mut buffer = [0; 4096];
        let mut all = 0;
        while !events.is_done() {
            match body.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => {
                    all += count as u64;
                    events.push(&buffer[..count]);
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(self.broken(e)),
            }
            // Around each piece of a few letters stands an object.
            if events.bytes() as u64 > self.limit || all > self.limit * EVENT {
                return Err(self.too_long());
            }
        }
        events.answer().ok_or_else(|| {
            let why = format!("{}: the events ended before the answer did", self.base);
            Failure::new(&ENDPOINT_ANSWER, why).retried()
        })
    }

    fn too_long(&self) -> Failure {
        let limit = self.limit / 1024;
        Failure::new(
            &ANSWER_TOO_LONG,
            format!("the response has more than {limit} KB"),
        )
    }

    /// A body that could not be read to its end.
    fn broken(&self, error: std::io::Error) -> Failure {
        match ureq::Error::from(error) {
            ureq::Error::Io(_) => Failure::new(
                &ENDPOINT_ANSWER,
                format!("{}: the connection ended before the answer did", self.base),
            )
            .retried(),
            e => self.transport(&e),
        }
    }

    /// An error in an answer that claims success. It may pass unless it says that the request is at fault.
    fn erred(&self, error: &Value) -> Failure {
        let field = |name: &str| error.get(name);
        let code = ["code", "status", "status_code"].iter().find_map(|name| {
            let value = field(name)?;
            let number = value.as_u64().or_else(|| value.as_str()?.parse().ok())?;
            u16::try_from(number)
                .ok()
                .filter(|code| (400..600).contains(code))
        });
        let kinds = ["type", "code"]
            .iter()
            .filter_map(|name| field(name)?.as_str());
        let at_fault = [
            "invalid",
            "not_found",
            "context_length",
            "authentication",
            "permission",
        ];
        let refused = kinds
            .clone()
            .any(|kind| at_fault.iter().any(|word| kind.contains(word)));
        let status = code.or(refused.then_some(400));
        let said = explanation(serde_json::json!({ "error": error }).to_string().as_bytes());
        let why = format!(
            "{}: an error in place of an answer: {}",
            self.base,
            self.quoted(&said)
        );
        let failure = Failure {
            status,
            said,
            ..Failure::new(&ENDPOINT_ANSWER, why)
        };
        match status {
            None | Some(408 | 409 | 429 | 500..) => failure.retried(),
            _ => failure,
        }
    }

    /// An answer with a status that is no success.
    fn refused(&self, status: u16, response: Response<Body>) -> Failure {
        let now = SystemTime::now();
        let wait = retry_after(response.headers(), status == 429, now).unwrap_or_default();
        let moved = response
            .headers()
            .get(header::LOCATION)
            .and_then(|x| x.to_str().ok())
            .map(|to| format!("redirected to {}", self.quoted(to)));
        let mut bytes = Vec::new();
        // What could be read of the explanation is good enough.
        let read = response
            .into_body()
            .into_reader()
            .take(EXPLANATION)
            .read_to_end(&mut bytes);
        let slow = read.is_err_and(|e| matches!(ureq::Error::from(e), ureq::Error::Timeout(_)));
        let explained = explanation(&bytes);
        let said = moved.unwrap_or_else(|| self.quoted(&explained));
        let why = format!("{}: status {status}: {said}", self.base);
        let failure = Failure {
            said: explained,
            ..Failure::new(&ENDPOINT_STATUS, why)
        };
        match status {
            408 | 409 | 429 | 500..=599 if !slow => Failure {
                retry: Some(wait),
                ..failure
            },
            _ => failure,
        }
    }

    /// An answer of another shape than asked for, with what it says.
    pub fn odd(&self, why: impl std::fmt::Display, answer: &Value) -> Failure {
        let said = self.quoted(&explanation(answer.to_string().as_bytes()));
        Failure::new(&ENDPOINT_ANSWER, format!("{}: {why}: {said}", self.base))
    }

    /// A failure without an answer.
    fn transport(&self, error: &ureq::Error) -> Failure {
        let base = &self.base;
        match error {
            ureq::Error::Timeout(Timeout::Connect | Timeout::Resolve) => Failure::new(
                &ENDPOINT_UNREACHABLE,
                format!("{base}: no connection in time"),
            )
            .retried(),
            ureq::Error::Timeout(Timeout::PerRead | Timeout::PerWrite) => Failure::new(
                &ENDPOINT_TIMEOUT,
                format!("{base}: silent for longer than idle_seconds"),
            ),
            ureq::Error::Timeout(_) => Failure::new(
                &ENDPOINT_TIMEOUT,
                format!("{base}: not done within timeout_seconds"),
            ),
            ureq::Error::Io(e) if e.kind() != std::io::ErrorKind::InvalidData => {
                Failure::new(&ENDPOINT_UNREACHABLE, format!("{base}: {e}")).retried()
            }
            ureq::Error::HostNotFound | ureq::Error::ConnectionFailed => {
                Failure::new(&ENDPOINT_UNREACHABLE, format!("{base}: {error}")).retried()
            }
            ureq::Error::Protocol(_)
            | ureq::Error::Http(_)
            | ureq::Error::LargeResponseHeader(..) => Failure::new(
                &ENDPOINT_ANSWER,
                format!(
                    "{base}: not HTTP as it should be: {}",
                    self.quoted(&error.to_string())
                ),
            ),
            e => Failure::new(
                &ENDPOINT_UNREACHABLE,
                format!("{base}: {}", self.quoted(&e.to_string())),
            ),
        }
    }

    /// The beginning of what a server said, fit for a line of text.
    fn quoted(&self, text: &str) -> String {
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

/// What a failed answer's body says: the message of the usual JSON shapes, or the text itself.
fn explanation(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let Ok(value) = serde_json::from_slice::<Value>(body) else {
        return text.into_owned();
    };
    ["/error/message", "/error", "/message", "/detail"]
        .iter()
        .find_map(|at| value.pointer(at)?.as_str())
        .map_or_else(|| text.into_owned(), str::to_owned)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn explanations_come_from_the_usual_shapes() {
        for (body, said) in [
            (r#"{"error":{"message":"no such model"}}"#, "no such model"),
            (r#"{"error":"no such model"}"#, "no such model"),
            (r#"{"detail":"Not Found"}"#, "Not Found"),
            ("<html>", "<html>"),
            ("[1]", "[1]"),
        ] {
            assert_eq!(explanation(body.as_bytes()), said);
        }
    }
}
