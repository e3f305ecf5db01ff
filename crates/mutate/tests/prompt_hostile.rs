//! The prompt operator against servers that do not do as they should: each gives its typed failure.

mod prompt_mock;

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread::sleep;
use std::time::{Duration, Instant};

use prompt_mock::{CHILD, Mock, PARENT, chat, children, code, propose, send, send_with};

const HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";

/// Writes without end, until the client has gone.
fn pour(stream: &mut TcpStream, bytes: &[u8], pause: Duration) {
    while stream
        .write_all(bytes)
        .and_then(|()| stream.flush())
        .is_ok()
    {
        sleep(pause);
    }
}

type Answer = fn(usize, &str, &mut TcpStream);

/// What servers do, and the code that it gives.
const HOSTILE: &[(&str, &str, Answer)] = &[
    ("bytes that are no HTTP", "endpoint-answer", |_, _, s| {
        let _ = s.write_all(&[0xff, 0, 7, b'\r', b'\n', b'\r', b'\n'].repeat(50));
    }),
    ("a body without end", "answer-too-long", |_, _, s| {
        let _ = write!(s, "{HEAD}\r\n");
        pour(s, &[b' '; 4096], Duration::ZERO);
    }),
    ("chunks without end", "answer-too-long", |_, _, s| {
        let _ = write!(s, "{HEAD}Transfer-Encoding: chunked\r\n\r\n");
        pour(s, b"8\r\n        \r\n", Duration::ZERO);
    }),
    (
        "a body announced as endless",
        "answer-too-long",
        |_, _, s| {
            let _ = write!(s, "{HEAD}Content-Length: 18446744073709551615\r\n\r\n");
            pour(s, &[b' '; 4096], Duration::ZERO);
        },
    ),
    ("one byte after another", "endpoint-timeout", |_, _, s| {
        let _ = write!(s, "{HEAD}Content-Length: 5000\r\n\r\n");
        pour(s, b" ", Duration::from_millis(100));
    }),
    (
        "a header byte after another",
        "endpoint-timeout",
        |_, _, s| {
            let _ = write!(s, "{HEAD}X-Long: ");
            pour(s, b"x", Duration::from_millis(100));
        },
    ),
    ("a body that stops", "endpoint-timeout", |_, _, s| {
        let _ = write!(s, "{HEAD}Content-Length: 5000\r\n\r\n{{");
        sleep(Duration::from_secs(20));
    }),
    ("no answer at all", "endpoint-timeout", |_, _, _| {
        sleep(Duration::from_secs(20));
    }),
    (
        "interim answers without end",
        "endpoint-timeout",
        |_, _, s| {
            pour(
                s,
                b"HTTP/1.1 100 Continue\r\n\r\n",
                Duration::from_millis(20),
            );
        },
    ),
    ("a closed connection", "endpoint-unreachable", |_, _, _| {}),
    (
        "a connection closed in the header",
        "endpoint-unreachable",
        |_, _, s| {
            let _ = s.write_all(b"HTTP/1.1 20");
        },
    ),
    (
        "a body shorter than announced",
        "endpoint-answer",
        |_, _, s| {
            let _ = write!(s, "{HEAD}Content-Length: 5000\r\n\r\n{}", chat(CHILD));
        },
    ),
    (
        "a body longer than announced",
        "endpoint-answer",
        |_, _, s| {
            let _ = write!(s, "{HEAD}Content-Length: 10\r\n\r\n{}", chat(CHILD));
        },
    ),
    (
        "a length that is no number",
        "endpoint-answer",
        |_, _, s| {
            let _ = write!(s, "{HEAD}Content-Length: -7\r\n\r\n{}", chat(CHILD));
        },
    ),
    ("a header without end", "endpoint-answer", |_, _, s| {
        let _ = write!(s, "{HEAD}X-Long: ");
        pour(s, &[b'x'; 4096], Duration::ZERO);
    }),
    ("headers without end", "endpoint-answer", |_, _, s| {
        let _ = s.write_all(HEAD.as_bytes());
        pour(s, &b"X: y\r\n".repeat(1000), Duration::ZERO);
    }),
    ("an empty body", "endpoint-answer", |_, _, s| {
        send(s, "200 OK", "")
    }),
    ("a page", "endpoint-answer", |_, _, s| {
        send(s, "200 OK", "<html>hello</html>")
    }),
    ("JSON cut short", "endpoint-answer", |_, _, s| {
        send(s, "200 OK", &chat(CHILD)[..40]);
    }),
    ("JSON of another kind", "endpoint-answer", |_, _, s| {
        send(s, "200 OK", r#"{"choices": [{"delta": {}}]}"#);
    }),
    ("JSON nested deeply", "endpoint-answer", |_, _, s| {
        send(s, "200 OK", &"[".repeat(8000))
    }),
    ("something compressed", "endpoint-answer", |_, _, s| {
        let zeros = "\u{1f}\u{8b}\u{8}\0\0\0\0\0".repeat(100);
        send_with(s, "200 OK", "Content-Encoding: gzip\r\n", &zeros);
    }),
    (
        "an error in place of an answer",
        "endpoint-answer",
        |_, _, s| {
            send(s, "200 OK", r#"{"error": {"message": "overloaded"}}"#);
        },
    ),
    ("status 500", "endpoint-status", |_, _, s| {
        send(s, "500 Oh", "{}")
    }),
    (
        "status 500 with a page without end",
        "endpoint-status",
        |_, _, s| {
            let _ = s.write_all(b"HTTP/1.1 500 Oh\r\n\r\n");
            pour(s, &[b'x'; 4096], Duration::ZERO);
        },
    ),
    ("status 999", "endpoint-status", |_, _, s| {
        send(s, "999 What", "")
    }),
    ("nothing to say", "answer-empty", |_, _, s| {
        send(
            s,
            "200 OK",
            r#"{"choices": [{"message": {"content": null}}]}"#,
        );
    }),
    ("a refusal", "answer-no-program", |_, _, s| {
        send(s, "200 OK", &chat("I'd rather not."))
    }),
    ("the parent", "answer-unchanged", |_, _, s| {
        send(s, "200 OK", &chat(PARENT))
    }),
    (
        "an answer cut at the limit",
        "answer-too-long",
        |_, _, s| {
            let answer = chat("```python\ndef f(x):\n    ret").replace("\"stop\"", "\"length\"");
            send(s, "200 OK", &answer);
        },
    ),
];

#[test]
fn each_hostile_server_gives_its_failure() {
    std::thread::scope(|scope| {
        for &(what, expected, answer) in HOSTILE {
            scope.spawn(move || {
                let mock = Mock::new(answer);
                let proposals = children(&mut mock.operator(|_| {}), 2);
                for proposal in &proposals {
                    assert_eq!(code(proposal), expected, "{what}: {:?}", proposal.program);
                    let message = &proposal.program.as_ref().unwrap_err().message;
                    assert!(message.len() < 600 && !message.contains('\n'), "{message}");
                }
            });
        }
    });
}

#[test]
fn the_good_answers_among_the_bad_arrive_in_order() {
    // Which answer is bad depends on the request, not on the order in which requests arrive.
    let bad = |request: &str| {
        let seed = request.split("\"seed\":").nth(1).unwrap();
        let seed: u32 = seed[..seed.find([',', '}']).unwrap()].parse().unwrap();
        (seed as usize) % (HOSTILE.len() * 2)
    };
    let mock = Mock::new(move |n, request, stream| match HOSTILE.get(bad(request)) {
        Some((.., answer)) => answer(n, request, stream),
        None => send(
            stream,
            "200 OK",
            &chat(&format!("def f(): return {}", bad(request))),
        ),
    });
    let mut operator = mock.operator(|s| s.concurrency = 32);
    let proposals = children(&mut operator, 64);
    let good = proposals.iter().filter(|p| p.program.is_ok()).count();
    assert!((10..60).contains(&good), "{good}");
    let programs = |proposals: &[mutate::Proposal]| -> Vec<_> {
        let ok = |p: &mutate::Proposal| p.program.clone().map_err(|e| e.code);
        proposals.iter().map(ok).collect()
    };
    let again = children(&mut mock.operator(|s| s.concurrency = 7), 64);
    assert_eq!(programs(&proposals), programs(&again));
}

#[test]
fn what_may_pass_is_tried_again() {
    let answers: [(Answer, bool); 6] = [
        (|_, _, s| send(s, "500 Oh", ""), true),
        (|_, _, s| send(s, "429 Slow", ""), true),
        (|_, _, s| send(s, "408 Late", ""), true),
        (|_, _, _| {}, true),
        (|_, _, s| send(s, "400 No", ""), false),
        (|_, _, s| send(s, "401 Who", ""), false),
    ];
    for (answer, again) in answers {
        let mock = Mock::new(move |n, request, stream| {
            if n < 2 {
                answer(n, request, stream);
            } else {
                send(stream, "200 OK", &chat(CHILD));
            }
        });
        let proposal = children(&mut mock.operator(|s| s.retries = 2), 1).remove(0);
        assert_eq!(proposal.program.is_ok(), again, "{:?}", proposal.program);
        assert_eq!(mock.seen().len(), if again { 3 } else { 1 });
        let same: Vec<_> = mock
            .seen()
            .iter()
            .map(|r| r.split("\r\n\r\n").nth(1).unwrap().to_owned())
            .collect();
        assert!(
            same.iter().all(|body| *body == same[0]),
            "the same request each time"
        );
    }
    let mock = Mock::new(|_, _, s| send(s, "503 Oh", r#"{"error": {"message": "all is lost"}}"#));
    let proposal = children(&mut mock.operator(|s| s.retries = 3), 1).remove(0);
    assert_eq!(mock.seen().len(), 4);
    let message = proposal.program.unwrap_err().message;
    assert!(
        message.contains("503") && message.contains("all is lost"),
        "{message}"
    );
}

#[test]
fn a_server_may_ask_for_a_wait() {
    let mock = Mock::new(|n, _, stream| match n {
        0 => send_with(stream, "429 Slow", "Retry-After: 1\r\n", ""),
        _ => send(stream, "200 OK", &chat(CHILD)),
    });
    let start = Instant::now();
    let proposal = children(&mut mock.operator(|s| s.retries = 1), 1).remove(0);
    assert_eq!(code(&proposal), "ok");
    assert!(start.elapsed() >= Duration::from_secs(1));
}

#[test]
fn redirections_are_not_followed() {
    let other = Mock::new(|_, _, stream| send(stream, "200 OK", &chat(CHILD)));
    let to = format!("Location: {}/v1/chat/completions\r\n", other.url);
    let mock = Mock::new(move |_, _, stream| send_with(stream, "307 There", &to, ""));
    let proposal = children(&mut mock.operator(|_| {}), 1).remove(0);
    let reason = proposal.program.unwrap_err();
    assert_eq!(reason.code, "endpoint-status");
    assert!(reason.message.contains(&other.url), "{}", reason.message);
    assert!(other.seen().is_empty());
}

#[test]
fn a_server_without_tls_is_no_https() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let _ = stream
                .unwrap()
                .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    let mut operator = Mock::new(|_, _, _| {}).operator(|s| s.endpoint = url);
    let proposal = children(&mut operator, 1).remove(0);
    assert_eq!(code(&proposal), "endpoint-unreachable", "{proposal:?}");
}

#[test]
fn a_dead_endpoint_is_given_up_until_the_next_iteration() {
    let well = Arc::new(AtomicBool::new(false));
    let now = well.clone();
    let mock = Mock::new(move |_, _, stream| match now.load(SeqCst) {
        true => send(stream, "200 OK", &chat(CHILD)),
        false => send(stream, "500 Oh", ""),
    });
    let mut operator = mock.operator(|s| {
        s.give_up_after = 3;
        s.concurrency = 1;
    });
    let codes = |operator: &mut _| -> Vec<String> {
        children(operator, 6)
            .iter()
            .map(|p| code(p).to_owned())
            .collect()
    };
    let count = |codes: &[String], code: &str| codes.iter().filter(|c| *c == code).count();
    let first = codes(&mut operator);
    assert_eq!(count(&first, "endpoint-status"), 3);
    assert_eq!(count(&first, "endpoint-down"), 3);
    let second = codes(&mut operator);
    assert_eq!(count(&second, "endpoint-down"), 5);
    assert_eq!(
        mock.seen().len(),
        4,
        "one request tells that it is still down"
    );
    well.store(true, SeqCst);
    assert_eq!(count(&codes(&mut operator), "ok"), 6);
}

#[test]
fn a_run_may_end_where_nobody_answers() {
    let mock = Mock::new(|_, _, stream| send(stream, "500 Oh", ""));
    let mut operator = mock.operator(|s| {
        s.give_up_after = 1;
        s.end_after_iterations = 2;
    });
    children(&mut operator, 2);
    // None of this iteration's failures is handed over: a resumed run asks for them again.
    let never = AtomicBool::new(false);
    let error = propose(&mut operator, 2, None, &never).unwrap_err();
    assert!(
        error.to_string().contains("2 iterations in a row"),
        "{error}"
    );
}

#[test]
fn a_refused_request_does_not_speak_against_the_endpoint() {
    let mock = Mock::new(|n, _, stream| match n % 4 {
        3 => send(stream, "200 OK", &chat(CHILD)),
        _ => send(
            stream,
            "400 No",
            r#"{"error": {"message": "the prompt is too long"}}"#,
        ),
    });
    let mut operator = mock.operator(|s| {
        s.give_up_after = 2;
        s.concurrency = 1;
    });
    let proposals = children(&mut operator, 8);
    assert!(proposals.iter().all(|p| code(p) != "endpoint-down"));
}

#[test]
fn a_stop_does_not_wait_for_the_server() {
    let mock = Mock::new(|_, _, _| sleep(Duration::from_secs(600)));
    let mut operator = mock.operator(|s| {
        s.timeout_seconds = 600.0;
        s.idle_seconds = 600.0;
    });
    let stop = AtomicBool::new(false);
    let start = Instant::now();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while mock.seen().is_empty() {
                sleep(Duration::from_millis(5));
            }
            stop.store(true, SeqCst);
        });
        let there = propose(&mut operator, 20, None, &stop).unwrap();
        assert!(there.is_empty());
    });
    assert!(start.elapsed() < Duration::from_secs(60));
}
