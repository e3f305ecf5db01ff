//! A stand-in for an index or a hub on the loopback, with the faults of real ones.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// How the server serves.
#[derive(Clone, Default)]
pub struct Manner {
    /// Cut a connection after so many bytes of a body; 0 never cuts.
    pub cut: usize,
    /// Ignore ranges.
    pub whole_only: bool,
    /// Answer so many requests with 500 first.
    pub broken: usize,
    /// Answer so many requests with 429 first, with these header lines.
    pub limited: (usize, &'static str),
    /// Answer with a redirection to here, and note who shows a token.
    pub moved: Option<String>,
    /// Give this tag with every file.
    pub etag: Option<String>,
    /// Answer 401 to who does not bear this token.
    pub token: Option<String>,
}

#[derive(Default)]
struct State {
    manner: Manner,
    files: BTreeMap<String, (String, Vec<u8>)>,
    requests: Vec<String>,
    shown: usize,
}

/// Serves files until the test's process ends.
pub struct Server {
    pub url: String,
    state: Arc<Mutex<State>>,
}

impl Server {
    pub fn new(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State {
            manner,
            ..State::default()
        }));
        let shared = state.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A client that goes away is its own affair.
                let _ = answer(stream, &shared);
            }
        });
        Self { url, state }
    }

    pub fn put(&self, path: &str, kind: &str, bytes: impl Into<Vec<u8>>) {
        self.state
            .lock()
            .unwrap()
            .files
            .insert(path.to_owned(), (kind.to_owned(), bytes.into()));
    }

    pub fn manner(&self, change: impl FnOnce(&mut Manner)) {
        change(&mut self.state.lock().unwrap().manner);
    }

    /// Requests that showed a token.
    pub fn shown(&self) -> usize {
        self.state.lock().unwrap().shown
    }

    /// Requests so far, as "PATH RANGE".
    pub fn requests(&self) -> Vec<String> {
        std::mem::take(&mut self.state.lock().unwrap().requests)
    }
}

fn answer(mut stream: TcpStream, state: &Mutex<State>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        match line.trim().split_once(": ") {
            Some((name, value)) => headers.insert(name.to_lowercase(), value.to_owned()),
            None => break,
        };
    }
    let mut state = state.lock().unwrap();
    let range = headers.get("range").cloned().unwrap_or_default();
    state
        .requests
        .push(format!("{path} {range}").trim().to_owned());
    let refuse = |mut stream: TcpStream, status: &str| {
        write!(
            stream,
            "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        )
    };
    if state.manner.broken > 0 {
        state.manner.broken -= 1;
        return refuse(stream, "500 Internal Server Error");
    }
    if state.manner.limited.0 > 0 {
        state.manner.limited.0 -= 1;
        let lines = state.manner.limited.1;
        return refuse(stream, &format!("429 Too Many Requests{lines}"));
    }
    if let Some(to) = &state.manner.moved {
        return refuse(stream, &format!("302 Found\r\nLocation: {to}{path}"));
    }
    if headers.contains_key("authorization") {
        state.shown += 1;
    }
    let bearer = state
        .manner
        .token
        .as_ref()
        .map(|token| format!("Bearer {token}"));
    if bearer.is_some() && headers.get("authorization") != bearer.as_ref() {
        return refuse(stream, "401 Unauthorized");
    }
    let manner = state.manner.clone();
    let Some((kind, bytes)) = state.files.get(&path).cloned() else {
        return refuse(stream, "404 Not Found");
    };
    drop(state);
    let same = headers
        .get("if-range")
        .is_none_or(|tag| Some(tag) == manner.etag.as_ref());
    let from: usize = range
        .trim_start_matches("bytes=")
        .trim_end_matches('-')
        .parse()
        .unwrap_or(0);
    let from = if same && !manner.whole_only { from } else { 0 };
    let total = bytes.len();
    if from > 0 && from >= total {
        let end = format!("416 Range Not Satisfiable\r\nContent-Range: bytes */{total}");
        return refuse(stream, &end);
    }
    let body = &bytes[from..];
    let mut head = match from {
        0 => "HTTP/1.1 200 OK\r\n".to_owned(),
        _ => format!(
            "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {from}-{}/{total}\r\n",
            total - 1
        ),
    };
    if let Some(tag) = manner.etag {
        head += &format!("ETag: {tag}\r\n");
    }
    write!(
        stream,
        "{head}Content-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    )?;
    let sent = if manner.cut > 0 && kind.contains("octet") {
        body.len().min(manner.cut)
    } else {
        body.len()
    };
    stream.write_all(&body[..sent])
}
