//! What a server's answer comes to: the JSON of a success, or a typed failure, and whether it may pass.

use std::io::{ErrorKind, Read};
use std::time::SystemTime;

use lm::pull::http::retry_after;
use serde_json::Value;
use ureq::http::{Response, header};
use ureq::{Body, Timeout};

use super::client::{Client, Failure};
use super::sse::Events;
use super::wire;
use crate::reason::{
    ANSWER_TOO_LONG, ENDPOINT_ANSWER, ENDPOINT_STATUS, ENDPOINT_TIMEOUT, ENDPOINT_UNREACHABLE,
};

/// Bytes read of a body that explains a failure.
const EXPLANATION: u64 = 16 * 1024;
/// Bytes that come for one that is kept, at most, where an answer comes piece by piece.
const EVENT: u64 = 512;

impl Client {
    pub(super) fn outcome(
        &self,
        answer: Result<Response<Body>, ureq::Error>,
    ) -> Result<Value, Failure> {
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
