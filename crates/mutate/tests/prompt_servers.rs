//! The prompt operator and the ways of many servers: no system role, other names of fields, events, waits, errors that
//! claim success.

mod prompt_mock;

use std::io::Write;
use std::thread::sleep;
use std::time::Duration;

use mutate::prompt::{Answer, Settings};
use prompt_mock::{CHILD, Mock, PARENT, chat, children, code, send, send_with};
use serde_json::{Value, json};

fn body(request: &str) -> Value {
    serde_json::from_str(request.split_once("\r\n\r\n").unwrap().1).unwrap()
}

/// The roles of a request's messages.
fn roles(request: &Value) -> Vec<&str> {
    let messages = request["messages"].as_array().unwrap();
    messages
        .iter()
        .map(|x| x["role"].as_str().unwrap())
        .collect()
}

fn refusal(message: &str) -> String {
    json!({"error": {"message": message, "code": 400}}).to_string()
}

/// A server that takes no system message.
fn plain() -> Mock {
    Mock::new(
        |_, request, stream| match roles(&body(request)).contains(&"system") {
            true => send(stream, "400 No", &refusal("System role not supported")),
            false => send(stream, "200 OK", &chat(CHILD)),
        },
    )
}

#[test]
fn a_server_without_a_system_role_is_asked_otherwise_from_then_on() {
    let mock = plain();
    let mut operator = mock.operator(|s| s.concurrency = 1);
    for _ in 0..2 {
        let proposals = children(&mut operator, 3);
        assert!(proposals.iter().all(|p| code(p) == "ok"), "{proposals:?}");
    }
    let asked: Vec<Value> = mock.seen().iter().map(|x| body(x)).collect();
    assert_eq!(asked.len(), 7, "one was refused");
    let system = asked[0]["messages"][0]["content"].as_str().unwrap();
    for asked in &asked[1..] {
        assert_eq!(roles(asked), ["user"]);
        let user = asked["messages"][0]["content"].as_str().unwrap();
        assert!(user.contains(system) && user.contains(PARENT));
    }
}

#[test]
fn without_a_system_text_no_system_message_is_sent() {
    let mock = plain();
    let mut operator = mock.operator(|s| {
        s.system = String::new();
        s.answer = Answer::Program;
    });
    assert_eq!(code(&children(&mut operator, 1)[0]), "ok");
    let asked = body(&mock.seen()[0]);
    let user = asked["messages"][0]["content"].as_str().unwrap();
    assert!(user.contains("whole changed program") && user.contains(PARENT));
}

#[test]
fn other_refusals_are_not_tried_in_other_shapes() {
    let mock = Mock::new(|_, _, stream| send(stream, "400 No", &refusal("the prompt is too long")));
    assert_eq!(
        code(&children(&mut mock.operator(|_| {}), 1)[0]),
        "endpoint-status"
    );
    assert_eq!(mock.seen().len(), 1);
    // A server that refuses both shapes is asked once in each.
    let mock = Mock::new(|_, _, stream| send(stream, "400 No", &refusal("wrong role")));
    assert_eq!(
        code(&children(&mut mock.operator(|_| {}), 1)[0]),
        "endpoint-status"
    );
    assert_eq!(mock.seen().len(), 2);
}

#[test]
fn max_completion_tokens_are_sent_to_who_wants_them() {
    let mock = Mock::new(|_, request, stream| match body(request).get("max_tokens") {
        Some(_) => send(
            stream,
            "400 No",
            &refusal("Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."),
        ),
        None => send(stream, "200 OK", &chat(CHILD)),
    });
    let mut operator = mock.operator(|s| s.concurrency = 1);
    operator.probe().unwrap_err(); // GET models has no body for this server
    assert!(children(&mut operator, 2).iter().all(|p| code(p) == "ok"));
    let last = body(mock.seen().last().unwrap());
    assert_eq!(
        last["max_completion_tokens"],
        Settings::default().max_tokens
    );
}

#[test]
fn the_probe_asks_as_the_run_does() {
    let mock = Mock::new(|_, request, stream| {
        if request.starts_with("GET") {
            return send(stream, "404 None", "");
        }
        let asked = body(request);
        match asked["max_tokens"].as_u64() {
            Some(..16) => send(stream, "400 No", &refusal("max_tokens must be at least 16")),
            _ => send(stream, "200 OK", &chat(CHILD)),
        }
    });
    let mut operator = mock.operator(|_| {});
    operator.probe().unwrap();
    children(&mut operator, 1);
    let seen: Vec<Value> = mock.seen()[1..].iter().map(|x| body(x)).collect();
    let fields = |x: &Value| x.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(fields(&seen[0]), fields(&seen[1]));
    assert_eq!(roles(&seen[0]), roles(&seen[1]));
    for field in ["max_tokens", "temperature", "top_p", "stream"] {
        assert_eq!(seen[0][field], seen[1][field]);
    }
}

#[test]
fn a_model_that_takes_no_temperature_is_sent_none() {
    let mock = Mock::new(|_, request, stream| {
        let fixed = request.starts_with("POST") && body(request).get("temperature").is_some();
        match fixed {
            true => send(
                stream,
                "400 No",
                &refusal("'temperature' does not support 0.8 with this model"),
            ),
            false => send(stream, "200 OK", &chat(CHILD)),
        }
    });
    let error = mock.operator(|_| {}).probe().unwrap_err().to_string();
    assert!(error.contains("prompt.send_temperature = false"), "{error}");
    mock.operator(|s| s.send_temperature = false)
        .probe()
        .unwrap();
    mock.operator(|s| s.extra = r#"{"temperature": null}"#.into())
        .probe()
        .unwrap();
}

const EVENTS: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n\r\n";

fn piece(text: &str) -> String {
    let event =
        json!({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": null}]});
    format!("data: {event}\n\n")
}

fn end() -> String {
    let end = json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]});
    let usage = json!({"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 7}});
    format!("data: {end}\n\ndata: {usage}\n\n")
}

#[test]
fn answers_that_come_piece_by_piece_are_read() {
    for asked in [true, false] {
        let mock = Mock::new(|n, _, stream| {
            let pieces: String = CHILD.split_inclusive(' ').map(piece).collect();
            let all = format!(": ping\n\n{pieces}{}data: [DONE]\n\n", end());
            match n {
                // The connection stays open behind the last event.
                0 => {
                    let _ = write!(stream, "{EVENTS}{}", all.replace('\n', "\r\n"));
                    sleep(Duration::from_secs(20));
                }
                // Said to be JSON.
                1 => send(stream, "200 OK", &all),
                _ => {
                    let _ = write!(stream, "{EVENTS}{}", all.replace("data: [DONE]\n\n", ""));
                }
            }
        });
        let mut operator = mock.operator(|s| {
            s.stream = asked;
            s.concurrency = 1;
        });
        for proposal in children(&mut operator, 3) {
            assert_eq!(proposal.program.as_deref(), Ok(CHILD));
            assert_eq!((proposal.cost.prompt_tokens, proposal.cost.tokens), (9, 7));
        }
        assert_eq!(body(&mock.seen()[0])["stream"], asked);
    }
}

#[test]
fn events_that_end_badly_are_failures_and_tried_again() {
    for (tail, expected, again) in [
        (String::new(), "endpoint-answer", true),
        (
            "data: {\"error\": {\"message\": \"overloaded\"}}\n\n".to_owned(),
            "endpoint-answer",
            true,
        ),
        ("data: {\"choices\"\n\n".to_owned(), "endpoint-answer", true),
        (piece("x").repeat(10_000), "answer-too-long", false),
    ] {
        let mock = Mock::new(move |_, _, stream| {
            let _ = write!(stream, "{EVENTS}{}{tail}", piece("def f(x"));
        });
        let proposals = children(&mut mock.operator(|s| s.retries = 1), 1);
        assert_eq!(code(&proposals[0]), expected, "{proposals:?}");
        assert_eq!(mock.seen().len(), 1 + usize::from(again), "{proposals:?}");
    }
}

#[test]
fn what_fails_inside_a_success_is_tried_again_where_that_may_help() {
    let cases: [(String, bool); 9] = [
        (String::new(), true),
        (" \n".to_owned(), true),
        (chat(CHILD)[..40].to_owned(), true),
        (r#"{"error": {"message": "overloaded"}}"#.to_owned(), true),
        (r#"{"error": {"message": "slow down", "code": 429}}"#.to_owned(), true),
        (r#"{"choices": [{"error": {"message": "upstream", "code": 502}, "message": {"content": ""}}]}"#.to_owned(), true),
        (r#"{"error": {"message": "too long", "type": "invalid_request_error"}}"#.to_owned(), false),
        (r#"{"error": {"message": "no such model", "code": "404"}}"#.to_owned(), false),
        ("<html>hello</html>".to_owned(), false),
    ];
    for (answer, again) in cases {
        let first = answer.clone();
        let mock = Mock::new(move |n, _, stream| match n {
            0 => send(stream, "200 OK", &first),
            _ => send(stream, "200 OK", &chat(CHILD)),
        });
        let proposal = children(&mut mock.operator(|s| s.retries = 1), 1).remove(0);
        assert_eq!(
            code(&proposal),
            if again { "ok" } else { "endpoint-answer" },
            "{answer}"
        );
    }
    let fine = chat(CHILD).replacen('{', "{\"error\": null, ", 1);
    let mock = Mock::new(move |_, _, stream| send(stream, "200 OK", &fine));
    assert_eq!(code(&children(&mut mock.operator(|_| {}), 1)[0]), "ok");
}

#[test]
fn a_seed_with_other_line_ends_is_the_same_program() {
    use mutate::{Request, gather};
    use rand::SeedableRng;
    let diff = "@@ -1,2 +1,2 @@\n def f(x):\n-    return x\n+    return x + 1\n";
    for (form, text, expected) in [
        (Answer::Diff, diff, Ok(CHILD)),
        (Answer::Program, PARENT, Err("answer-unchanged")),
    ] {
        for parent in [
            PARENT.replace('\n', "\r\n"),
            format!("\u{feff}{}", PARENT.trim_end()),
        ] {
            let mock = Mock::new(move |_, _, stream| send(stream, "200 OK", &chat(text)));
            let mut operator = mock.operator(|s| s.answer = form);
            let rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
            let mut requests = [Request::new(&parent, 1, rng)];
            let never = std::sync::atomic::AtomicBool::new(false);
            let proposal = gather(&mut operator, &mut requests, &never)
                .unwrap()
                .remove(0)
                .remove(0)
                .unwrap();
            let made = proposal.program.as_deref().map_err(|e| e.code.as_str());
            assert_eq!(made, expected);
            let asked = body(&mock.seen()[0]).to_string();
            assert!(!asked.contains("\\r") && !asked.contains('\u{feff}'));
        }
    }
}

#[test]
fn a_wait_may_be_a_date() {
    // Dates are whole seconds; who comes before this one is refused again, and asks no more.
    let date = httpdate::HttpDate::from(std::time::SystemTime::now() + Duration::from_secs(2));
    let mock = Mock::new(
        move |_, _, stream| match std::time::SystemTime::now() < date.into() {
            true => send_with(stream, "503 Slow", &format!("Retry-After: {date}\r\n"), ""),
            false => send(stream, "200 OK", &chat(CHILD)),
        },
    );
    let proposal = children(&mut mock.operator(|s| s.retries = 1), 1).remove(0);
    assert_eq!(code(&proposal), "ok");
}

#[test]
fn events_without_sense_or_end_are_too_long() {
    for line in ["data:\n", "data: [[1]\n", ": ping\n\n", "data: {}\n\n", "x"] {
        let mock = Mock::new(move |_, _, stream| {
            let _ = write!(stream, "{EVENTS}");
            while stream.write_all(line.repeat(4096).as_bytes()).is_ok() {}
        });
        let mut operator = mock.operator(|s| {
            s.max_answer_kb = 4;
            s.timeout_seconds = 60.0;
        });
        let proposal = children(&mut operator, 1).remove(0);
        assert_eq!(code(&proposal), "answer-too-long", "{line}");
    }
}
