//! A server on loopback that does whatever a test wants.

#![allow(dead_code, reason = "each test file uses a part")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Mutex, MutexGuard};

use mutate::prompt::{Prompt, Settings};
use mutate::{Brief, Message, Proposal, Request, gather};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

pub const PARENT: &str = "def f(x):\n    return x\n";
pub const CHILD: &str = "def f(x):\n    return x + 1\n";

/// The server; it ends with the test process.
pub struct Mock {
    pub url: String,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Mock {
    /// A server that reads each request whole and hands it, with its number from 0, to `answer`; then it closes the
    /// connection.
    pub fn new(answer: impl Fn(usize, &str, &mut TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (all, answer) = (seen.clone(), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (all, answer) = (all.clone(), answer.clone());
                std::thread::spawn(move || {
                    let mut stream = stream.unwrap();
                    let request = read(&mut stream);
                    let number = {
                        let mut all = all.lock().unwrap();
                        all.push(request.clone());
                        all.len() - 1
                    };
                    answer(number, &request, &mut stream);
                });
            }
        });
        Self { url, seen }
    }

    /// The requests so far.
    pub fn seen(&self) -> MutexGuard<'_, Vec<String>> {
        self.seen.lock().unwrap()
    }

    /// An operator that asks this server, impatient, without a key and without repetitions.
    pub fn operator(&self, change: impl FnOnce(&mut Settings)) -> Prompt {
        self.told("Small change.", change)
    }

    /// As [`Mock::operator`], told this.
    pub fn told(&self, message: &str, change: impl FnOnce(&mut Settings)) -> Prompt {
        let mut settings = Settings {
            endpoint: self.url.clone(),
            model: "mock".into(),
            key_env: String::new(),
            timeout_seconds: 2.0,
            idle_seconds: 1.0,
            retries: 0,
            backoff_seconds: 0.01,
            give_up_after: 1000,
            max_answer_kb: 8,
            ..Settings::default()
        };
        change(&mut settings);
        Prompt::new(settings, &brief(message)).unwrap()
    }
}

fn read(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes).to_lowercase();
        if let Some(head) = text.find("\r\n\r\n") {
            let length: usize = text[..head]
                .lines()
                .find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok())
                .unwrap_or(0);
            if bytes.len() >= head + 4 + length {
                break;
            }
        }
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => break,
            Ok(n) => bytes.extend(&buffer[..n]),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Sends an answer with a JSON body. Errors are nobody's: the client may have gone.
pub fn send(stream: &mut TcpStream, status: &str, body: &str) {
    send_with(stream, status, "", body);
}

/// As [`send`], with further header lines, each with its line end.
pub fn send_with(stream: &mut TcpStream, status: &str, headers: &str, body: &str) {
    let _ = write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nConnection: close\r\n\
         Content-Length: {}\r\n{headers}\r\n{body}",
        body.len()
    );
}

/// The usual answer of a chat model.
pub fn chat(text: &str) -> String {
    serde_json::json!({
        "choices": [{"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 100, "completion_tokens": 10},
    })
    .to_string()
}

/// Asks for `count` children of [`PARENT`].
pub fn children(operator: &mut Prompt, count: usize) -> Vec<Proposal> {
    crossed(operator, count, None)
}

/// Asks for `count` children of [`PARENT`] and a partner.
pub fn crossed(operator: &mut Prompt, count: usize, partner: Option<&str>) -> Vec<Proposal> {
    let stop = AtomicBool::new(false);
    propose(operator, count, partner, &stop).unwrap()
}

/// What one call gives; of a stopped one, what was there by then.
pub fn propose(
    operator: &mut Prompt,
    count: usize,
    partner: Option<&str>,
    stop: &AtomicBool,
) -> Result<Vec<Proposal>, mutate::Error> {
    let mut requests = [Request {
        partner,
        ..Request::new(PARENT, count, ChaCha8Rng::seed_from_u64(1))
    }];
    let mut proposals = gather(operator, &mut requests, stop)?;
    let there: Vec<_> = proposals.remove(0).into_iter().flatten().collect();
    assert!(there.len() == count || stop.load(SeqCst));
    Ok(there)
}

/// A brief with one message.
pub fn brief(message: &str) -> Brief {
    Brief {
        entry: "f".to_owned(),
        file_name: "f.py".to_owned(),
        messages: vec![Message {
            message: message.to_owned(),
            weight: 1.0,
        }],
        ..Brief::default()
    }
}

/// The code of a child's failure, or "ok".
pub fn code(proposal: &Proposal) -> &str {
    match &proposal.program {
        Ok(_) => "ok",
        Err(reason) => &reason.code,
    }
}

/// Counts how many are inside at once.
#[derive(Default)]
pub struct Gauge {
    now: AtomicUsize,
    pub most: AtomicUsize,
}

impl Gauge {
    pub fn within(&self, work: impl FnOnce()) {
        let now = self.now.fetch_add(1, SeqCst) + 1;
        self.most.fetch_max(now, SeqCst);
        work();
        self.now.fetch_sub(1, SeqCst);
    }
}
