//! Files over HTTP, resumed where they were cut.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use sha2::{Digest, Sha256};
use ureq::http::{HeaderMap, Response, StatusCode, header};
use ureq::{Agent, Body};

use super::Progress;
use super::http::{retry_after, roots, tls};
use crate::error::{Error, Fault};
use crate::sha256::hex;

/// Failures in a row, each without a single new byte, after which we give up.
const ATTEMPTS: u32 = 4;
/// How long a server may say nothing.
const SILENCE: Duration = Duration::from_secs(30);
/// Redirections that are followed.
const REDIRECTS: usize = 10;
/// The longest wait that a server may ask for.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// Longest page of text read.
const LONGEST: u64 = 64 << 20;

/// A way to one server, with a token if it asks for one.
pub struct Client {
    agent: Agent,
    token: Option<String>,
}

impl Client {
    /// A client that trusts the system's certificates; `token` goes to the server of each address only, not where it redirects.
    pub fn new(token: Option<&str>) -> Self {
        let agent = Agent::config_builder()
            .tls_config(tls(&roots()))
            .http_status_as_error(false)
            .timeout_connect(Some(SILENCE))
            .timeout_recv_response(Some(SILENCE))
            .timeout_per_read(Some(SILENCE))
            // Followed by `get`, which looks to the token.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(concat!("samara/", env!("CARGO_PKG_VERSION")))
            .build();
        Self {
            agent: agent.into(),
            token: token.map(str::to_owned),
        }
    }

    fn get(
        &self,
        url: &str,
        headers: &[(header::HeaderName, String)],
    ) -> Result<Response<Body>, ureq::Error> {
        let mut at = url.to_owned();
        for _ in 0..REDIRECTS {
            let mut request = self.agent.get(&at);
            for (name, value) in headers {
                request = request.header(name, value);
            }
            // A renamed repository answers with another address of the same server.
            if let Some(token) = self.token.as_ref().filter(|_| origin(&at) == origin(url)) {
                request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
            }
            let response = request.call()?;
            let moved = matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308);
            let to = value(response.headers(), &header::LOCATION).filter(|_| moved);
            let next = to.and_then(|to| url::Url::parse(&at).ok()?.join(&to).ok());
            match next.filter(|next| matches!(next.scheme(), "http" | "https")) {
                Some(next) => at = next.into(),
                None => return Ok(response),
            }
        }
        Err(ureq::Error::TooManyRedirects)
    }

    /// The text at an address, with its kind; tried again while the server is in trouble.
    ///
    /// # Errors
    /// `Error::Pull` with the address.
    pub fn text(&self, url: &str, accept: &str) -> Result<(String, String), Error> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            let trouble = match self.get(url, &[(header::ACCEPT, accept.to_owned())]) {
                Ok(response) if response.status().is_success() => {
                    let kind = value(response.headers(), &header::CONTENT_TYPE).unwrap_or_default();
                    match response
                        .into_body()
                        .with_config()
                        .limit(LONGEST)
                        .read_to_string()
                    {
                        Ok(text) => return Ok((text, kind)),
                        Err(e) => Trouble::from(e.to_string()),
                    }
                }
                Ok(response) => Trouble::of(url, response.status(), response.headers())?,
                Err(e) => Trouble::from(e.to_string()),
            };
            if attempt == ATTEMPTS {
                return Err(unreachable(url, &trouble));
            }
            std::thread::sleep(pause(attempt).max(trouble.wait));
        }
    }

    /// Downloads into `path`, which appears only when it is whole; before that the bytes are in `.NAME.part` beside
    /// it, and a later call goes on from there. `sha256` is the sum in hexadecimal, if it is known.
    ///
    /// # Errors
    /// `Error::Missing` for an address without a file, `Error::Pull` for a server that does not give it, or not the one
    /// of that sum (what came is thrown away); `Error::Io`.
    pub fn file(
        &self,
        url: &str,
        path: &Path,
        sha256: Option<&str>,
        progress: &mut Progress,
    ) -> Result<(), Error> {
        let part = Part::beside(path);
        let (mut failures, mut furthest) = (0, part.length());
        loop {
            let trouble = match self.stretch(url, &part, sha256.is_some(), progress)? {
                None => break,
                Some(trouble) => trouble,
            };
            if part.length() > furthest {
                furthest = part.length();
                failures = 0;
            }
            failures += 1;
            if failures == ATTEMPTS {
                return Err(unreachable(url, &trouble));
            }
            std::thread::sleep(pause(failures).max(trouble.wait));
        }
        if let Some(expected) = sha256 {
            let found = sum(&part.path)?;
            if !found.eq_ignore_ascii_case(expected) {
                part.discard();
                let problem = format!("its SHA-256 is {found}, not {expected}");
                let mend =
                    "try again; if it stays so, the file on the server is not the one it should be";
                return Err(Error::Pull(fault(url, "the file", problem, mend)));
            }
        }
        fs::rename(&part.path, path).map_err(|e| io(path, "written", e))?;
        part.discard();
        Ok(())
    }

    /// One request; `None` when the file is whole, else why it is not.
    fn stretch(
        &self,
        url: &str,
        part: &Part,
        checked: bool,
        progress: &mut Progress,
    ) -> Result<Option<Trouble>, Error> {
        let mut have = part.length();
        let etag = part.etag();
        // Without a sum and without a tag nothing says that the rest would be of the same file.
        if !checked && etag.is_none() {
            have = 0;
        }
        let mut headers = vec![(header::ACCEPT_ENCODING, "identity".to_owned())];
        if have > 0 {
            headers.push((header::RANGE, format!("bytes={have}-")));
            headers.extend(etag.map(|tag| (header::IF_RANGE, tag)));
        }
        let response = match self.get(url, &headers) {
            Ok(response) => response,
            Err(e) => return Ok(Some(e.to_string().into())),
        };
        let code = response.status();
        let headers = response.headers();
        let range = value(headers, &header::CONTENT_RANGE).and_then(|text| content_range(&text));
        let (start, total) = match (code, range) {
            (StatusCode::OK, _) => (
                0,
                value(headers, &header::CONTENT_LENGTH).and_then(|n| n.parse().ok()),
            ),
            (StatusCode::PARTIAL_CONTENT, Some((Some(start), total))) if start == have => {
                (start, total)
            }
            (StatusCode::RANGE_NOT_SATISFIABLE, Some((_, Some(total)))) if total == have => {
                return Ok(None);
            }
            (StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE, _) => {
                part.discard();
                return Ok(Some(
                    "the server gave another part of the file than was asked for"
                        .to_owned()
                        .into(),
                ));
            }
            (code, _) => return Trouble::of(url, code, headers).map(Some),
        };
        // A cut of such a body would look like its end; a body in chunks says where it ends.
        let chunked = headers.contains_key(header::TRANSFER_ENCODING);
        if !checked && total.is_none() && (start > 0 || !chunked) {
            part.discard();
            return Ok(Some(
                "the server does not say how long the file is"
                    .to_owned()
                    .into(),
            ));
        }
        let mut file = part.open(start)?;
        part.note(value(headers, &header::ETAG));
        let mut body = response.into_body().into_reader();
        let mut buffer = vec![0; 1 << 16];
        let mut done = start;
        progress(done, total);
        loop {
            match body.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => {
                    file.write_all(&buffer[..n])
                        .map_err(|e| io(&part.path, "written", e))?;
                    done += n as u64;
                    progress(done, total);
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Ok(Some(e.to_string().into())),
            }
        }
        if total.is_some_and(|total| done != total) {
            let cut = format!("the connection was cut after {done} bytes");
            return Ok(Some(cut.into()));
        }
        file.sync_all().map_err(|e| io(&part.path, "written", e))?;
        Ok(None)
    }
}

/// What may pass: why an attempt failed, and how long the server asks to wait.
struct Trouble {
    why: String,
    wait: Duration,
}

impl From<String> for Trouble {
    fn from(why: String) -> Self {
        let wait = Duration::ZERO;
        Self { why, wait }
    }
}

impl Trouble {
    /// A status that is no success.
    ///
    /// # Errors
    /// One that does not pass, or not soon.
    fn of(url: &str, code: StatusCode, headers: &HeaderMap) -> Result<Self, Error> {
        let limited = code == StatusCode::TOO_MANY_REQUESTS;
        if !limited && !code.is_server_error() {
            return Err(refused(url, code));
        }
        let wait = retry_after(headers, limited, SystemTime::now()).unwrap_or_default();
        if wait > LONGEST_WAIT {
            let problem = format!("{} and asks to wait {} s", status(code), wait.as_secs());
            let mend = "try again after that; what came is kept";
            return Err(Error::Pull(fault(url, "the file", problem, mend)));
        }
        Ok(Self {
            why: status(code),
            wait,
        })
    }
}

/// A file on its way, and the tag of the version it is of.
struct Part {
    path: PathBuf,
    tag: PathBuf,
}

impl Part {
    fn beside(path: &Path) -> Self {
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        Self {
            path: path.with_file_name(format!(".{name}.part")),
            tag: path.with_file_name(format!(".{name}.etag")),
        }
    }

    fn length(&self) -> u64 {
        fs::metadata(&self.path).map_or(0, |m| m.len())
    }

    fn etag(&self) -> Option<String> {
        fs::read_to_string(&self.tag)
            .ok()
            .filter(|tag| !tag.is_empty() && !tag.starts_with("W/"))
    }

    fn note(&self, tag: Option<String>) {
        // Without it the download starts anew another time, no more.
        let _ = match tag {
            Some(tag) => fs::write(&self.tag, tag),
            None => fs::remove_file(&self.tag),
        };
    }

    fn discard(&self) {
        let _ = fs::remove_file(&self.path);
        let _ = fs::remove_file(&self.tag);
    }

    /// Opened for writing at its end, which is at `start`.
    fn open(&self, start: u64) -> Result<File, Error> {
        let made = if start == 0 {
            File::create(&self.path)
        } else {
            OpenOptions::new().append(true).open(&self.path)
        };
        made.map_err(|e| io(&self.path, "written", e))
    }
}

/// "bytes 5-9/10" or "bytes */10": the start and the total.
fn content_range(text: &str) -> Option<(Option<u64>, Option<u64>)> {
    let (range, total) = text.strip_prefix("bytes ")?.split_once('/')?;
    let start = range
        .split_once('-')
        .and_then(|(start, _)| start.parse().ok());
    Some((start, total.parse().ok()))
}

fn value(headers: &HeaderMap, name: &header::HeaderName) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

/// The server that an address names: scheme, host and port.
fn origin(url: &str) -> Option<url::Origin> {
    url::Url::parse(url).ok().map(|url| url.origin())
}

/// A pause that grows with the failures.
fn pause(failures: u32) -> Duration {
    Duration::from_millis(100) * 4u32.pow(failures.min(4) - 1)
}

/// The SHA-256 of a file, in hexadecimal.
pub(super) fn sum(path: &Path) -> Result<String, Error> {
    let mut file = File::open(path).map_err(|e| Error::io(path, "read", e))?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file
            .read(&mut buffer)
            .map_err(|e| Error::io(path, "read", e))?
        {
            0 => return Ok(hex(&hash.finalize())),
            n => hash.update(&buffer[..n]),
        }
    }
}

/// A fault at an address.
pub(super) fn fault(url: &str, field: &str, problem: impl Into<String>, mend: &str) -> Fault {
    Fault {
        file: without_secrets(url),
        field: field.to_owned(),
        problem: problem.into(),
        mend: mend.to_owned(),
    }
}

/// An address without user, password and query, which may hold what is nobody's business.
fn without_secrets(url: &str) -> String {
    match url::Url::parse(url) {
        Ok(mut url) => {
            let _ = url.set_username("");
            let _ = url.set_password(None);
            url.set_query(None);
            url.to_string()
        }
        Err(_) => "the address".to_owned(),
    }
}

fn status(code: StatusCode) -> String {
    format!("the server answers {code}")
}

fn refused(url: &str, code: StatusCode) -> Error {
    let fault = |mend| fault(url, "the file", status(code), mend);
    match code.as_u16() {
        404 | 410 => Error::Missing(fault("check the name")),
        401 | 403 => Error::Pull(fault(
            "check the name; if it is right, a hub wants HF_TOKEN set to a token that may read it and the model's terms \
             accepted on its page, and an index of your own the user and password of its address",
        )),
        _ => Error::Pull(fault("check the address")),
    }
}

fn unreachable(url: &str, trouble: &Trouble) -> Error {
    let mend = match trouble.why.contains("429") {
        true => {
            "wait a while, or set HF_TOKEN (a hub lets those it knows ask more), and try again; what came is kept"
        }
        false => "check the network (a proxy goes in HTTPS_PROXY) and try again; what came is kept",
    };
    Error::Pull(fault(url, "the file", &trouble.why, mend))
}

/// A full disk has a mend of its own.
pub(super) fn io(path: &Path, action: &'static str, e: std::io::Error) -> Error {
    if matches!(e.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded) {
        let mend = "free some space, or set SAMARA_CACHE to a folder elsewhere, and try again";
        return Error::Pull(Fault::new(path, "the file", "the disk is full", mend));
    }
    Error::io(path, action, e)
}
