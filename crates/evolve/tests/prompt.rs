//! The prompt operator against a well-behaved server: every form of question and answer, its price, and what is found
//! out before a run.

mod prompt_mock;

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::thread::sleep;
use std::time::Duration;

use evolve::prompt::{Answer, Api, FIX_BUGS, Instruction};
use prompt_mock::{CHILD, Gauge, Mock, chat, children, code, crossed, send};
use serde_json::{Value, json};

fn body(request: &str) -> Value {
    serde_json::from_str(request.split_once("\r\n\r\n").unwrap().1).unwrap()
}

#[test]
fn every_form_of_answer_becomes_a_child() {
    let diff = "```diff\n--- a/f.py\n+++ b/f.py\n@@ -1,2 +1,2 @@\n def f(x):\n-    return x\n+    return x + 1\n```";
    let replace = "<<<<<<< SEARCH\n    return x\n=======\n    return x + 1\n>>>>>>> REPLACE";
    let program = format!("Here:\n```python\n{CHILD}```\nGood luck!");
    for (form, text) in [
        (Answer::Program, program.as_str()),
        (Answer::Diff, diff),
        (Answer::Replace, replace),
    ] {
        let answer = chat(text);
        let mock = Mock::new(move |_, _, stream| send(stream, "200 OK", &answer));
        let mut operator = mock.operator(|s| s.answer = form);
        let proposal = children(&mut operator, 1).remove(0);
        assert_eq!(proposal.program.as_deref(), Ok(CHILD));
        let asked = body(&mock.seen()[0]);
        assert!(mock.seen()[0].starts_with("POST /v1/chat/completions HTTP/1.1\r\n"));
        assert_eq!(asked["model"], "mock");
        assert_eq!(asked["stream"], false);
        assert_eq!(asked["messages"][1]["role"], "user");
    }
}

#[test]
fn completions_go_on_with_the_program() {
    let answer = json!({
        "choices": [{"text": " f(x):\n    return x + 1\n\n\nAnd so on", "finish_reason": "length"}],
    });
    let mock = Mock::new(move |_, _, stream| send(stream, "200 OK", &answer.to_string()));
    let mut operator = mock.operator(|s| {
        s.api = Api::Completions;
        s.instructions = vec![Instruction {
            message: FIX_BUGS.into(),
            weight: 1.0,
        }];
    });
    let proposal = children(&mut operator, 1).remove(0);
    assert_eq!(proposal.program.as_deref(), Ok(CHILD));
    let asked = body(&mock.seen()[0]);
    assert!(mock.seen()[0].starts_with("POST /v1/completions "));
    let prompt = asked["prompt"].as_str().unwrap();
    assert!(prompt.ends_with("\n### Fixed bugs.\ndef"), "{prompt}");
    // No counts from this server: four bytes a token.
    assert_eq!(
        proposal.cost.prompt_tokens as usize,
        prompt.len().div_ceil(4)
    );
    assert!(proposal.cost.tokens > 0);
}

#[test]
fn tokens_and_dollars_are_counted_also_for_failures() {
    let mock = Mock::new(|n, _, stream| {
        send(stream, "200 OK", &chat(if n == 0 { "No." } else { CHILD }));
    });
    let mut operator = mock.operator(|s| {
        s.dollars_per_million_prompt_tokens = 2.0;
        s.dollars_per_million_completion_tokens = 30.0;
    });
    for proposal in children(&mut operator, 2) {
        assert_eq!(
            (proposal.cost.prompt_tokens, proposal.cost.tokens),
            (100, 10)
        );
        assert!((proposal.cost.dollars - 0.0005).abs() < 1e-12);
    }
}

#[test]
fn settings_reach_the_server() {
    let mock = Mock::new(|_, _, stream| send(stream, "200 OK", &chat(CHILD)));
    let mut operator = mock.operator(|s| {
        s.temperature = 0.5;
        s.top_p = 1.0;
        s.max_tokens = 0;
        s.send_seed = false;
        s.extra = r#"{"max_completion_tokens": 77}"#.into();
        s.system = "Be quick.".into();
    });
    children(&mut operator, 1);
    let asked = body(&mock.seen()[0]);
    assert_eq!(asked["temperature"], 0.5);
    assert_eq!(asked["max_completion_tokens"], 77);
    for absent in ["top_p", "max_tokens", "seed", "stop"] {
        assert!(asked.get(absent).is_none(), "{absent}");
    }
    let system = asked["messages"][0]["content"].as_str().unwrap();
    assert!(system.starts_with("Be quick."));
}

#[test]
fn a_partner_is_shown_and_told() {
    let mock = Mock::new(|_, _, stream| send(stream, "200 OK", &chat(CHILD)));
    let mut operator = mock.operator(|s| s.crossover = 1.0);
    let partner = "def partner():\n    return 2\n";
    assert!(crossed(&mut operator, 1, Some(partner))[0].crossed);
    assert!(!crossed(&mut operator, 1, None)[0].crossed);
    let asked: Vec<_> = mock.seen().iter().map(|x| body(x).to_string()).collect();
    assert!(asked[0].contains("def partner()") && !asked[1].contains("def partner()"));
}

#[test]
fn no_more_requests_at_a_time_than_allowed() {
    let gauge = Arc::new(Gauge::default());
    let inside = gauge.clone();
    let mock = Mock::new(move |_, _, stream| {
        inside.within(|| sleep(Duration::from_millis(30)));
        send(stream, "200 OK", &chat(CHILD));
    });
    let mut operator = mock.operator(|s| s.concurrency = 3);
    let proposals = children(&mut operator, 12);
    assert!(proposals.iter().all(|p| code(p) == "ok"));
    let most = gauge.most.load(SeqCst);
    assert!((2..=3).contains(&most), "{most} at a time");
}

const LIST: &str = r#"{"data": [{"id": "mock"}, {"id": "other"}]}"#;

fn probed(
    answer: impl Fn(&str) -> (&'static str, String) + Send + Sync + 'static,
) -> Result<(), String> {
    let mock = Mock::new(move |_, request, stream| {
        let (status, body) = answer(request);
        send(stream, status, &body);
    });
    mock.operator(|_| {}).probe().map_err(|e| e.to_string())
}

#[test]
fn a_run_begins_only_where_it_can_go_on() {
    let list = |request: &str| request.starts_with("GET /v1/models ");
    probed(move |r| ("200 OK", if list(r) { LIST.into() } else { chat("x") })).unwrap();
    // Not every server lists its models.
    probed(move |r| match list(r) {
        true => ("404 None", String::new()),
        false => ("200 OK", chat("x")),
    })
    .unwrap();

    let unknown = probed(move |r| match list(r) {
        true => ("200 OK", LIST.replace("mock", "third")),
        false => (
            "404 None",
            r#"{"error": {"message": "no model mock"}}"#.into(),
        ),
    })
    .unwrap_err();
    assert!(
        unknown.starts_with("prompt.model: ") && unknown.contains("third, other"),
        "{unknown}"
    );

    let key = probed(|_| ("401 Who", r#"{"error": {"message": "no key"}}"#.into())).unwrap_err();
    assert!(
        key.starts_with("prompt.key_env: ") && key.contains("no key"),
        "{key}"
    );

    let refused = probed(move |r| match list(r) {
        true => ("200 OK", LIST.into()),
        false => (
            "400 No",
            r#"{"error": {"message": "temperature must be 1"}}"#.into(),
        ),
    })
    .unwrap_err();
    assert!(refused.contains("temperature must be 1"), "{refused}");

    let other = probed(|_| ("200 OK", "<html>".into())).unwrap_err();
    assert!(other.starts_with("prompt.endpoint: "), "{other}");
}

#[test]
fn a_server_that_is_not_there_is_told_before_the_run() {
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let mock = Mock::new(|_, _, _| {});
    let operator = mock.operator(|s| s.endpoint = format!("http://{free}"));
    let error = operator.probe().unwrap_err().to_string();
    assert!(
        error.contains(&free.to_string()) && error.contains("whether the server runs"),
        "{error}"
    );
}
