//! The prompt operator against a well-behaved server: every form of question and answer, its price, and what is found
//! out before a run.

mod prompt_mock;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread::sleep;
use std::time::Duration;

use mutate::prompt::{Answer, Api, FIX_BUGS};
use mutate::{Lost, Operator, Proposal, Request, Tray};
use prompt_mock::{CHILD, Gauge, Mock, PARENT, chat, children, code, crossed, send};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
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
    let mut operator = mock.told(FIX_BUGS, |s| s.api = Api::Completions);
    let proposal = children(&mut operator, 1).remove(0);
    assert_eq!(proposal.told.as_deref(), Some(FIX_BUGS));
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

/// Notes what it is handed, and stops the operator after so many.
struct Few<'a> {
    handed: Vec<(usize, usize)>,
    lost: Lost,
    most: usize,
    stop: &'a AtomicBool,
}

impl Tray for Few<'_> {
    fn hand(&mut self, request: usize, child: usize, _: Proposal) {
        self.handed.push((request, child));
        self.stop.store(self.handed.len() >= self.most, SeqCst);
    }

    fn lose(&mut self, lost: Lost) {
        self.lost = lost;
    }
}

fn few(stop: &AtomicBool, most: usize) -> Few<'_> {
    Few {
        handed: Vec::new(),
        lost: Lost::default(),
        most,
        stop,
    }
}

#[test]
fn answers_are_handed_over_while_others_are_waited_for_and_those_are_counted_at_a_stop() {
    // Two answers come, the others never do.
    let mock = Mock::new(|n, _, stream| match n {
        0 | 1 => send(stream, "200 OK", &chat(CHILD)),
        _ => sleep(Duration::from_secs(600)),
    });
    let mut operator = mock.operator(|s| {
        s.concurrency = 3;
        s.timeout_seconds = 600.0;
        s.idle_seconds = 600.0;
        s.dollars_per_million_prompt_tokens = 1e6;
    });
    let stop = AtomicBool::new(false);
    let mut tray = few(&stop, 2);
    let mut requests = [Request::new(PARENT, 20, ChaCha8Rng::seed_from_u64(1))];
    operator.propose(&mut requests, &mut tray, &stop).unwrap();
    assert_eq!(tray.handed.len(), 2);
    // Which of the workers had asked again by then is theirs to say.
    assert!((1..=3).contains(&tray.lost.requests), "{:?}", tray.lost);
    assert!(tray.lost.prompt_tokens > 50 * tray.lost.requests);
    assert_eq!(tray.lost.dollars, tray.lost.prompt_tokens as f64);
}

#[test]
fn only_wanted_children_are_asked_for_and_they_are_asked_the_same() {
    let asked = |wanted: fn(usize) -> bool| {
        let mock = Mock::new(|_, _, stream| send(stream, "200 OK", &chat(CHILD)));
        let mut operator = mock.operator(|s| s.concurrency = 1);
        let stop = AtomicBool::new(false);
        let mut tray = few(&stop, usize::MAX);
        let mut requests = [Request::new(PARENT, 8, ChaCha8Rng::seed_from_u64(1))];
        requests[0].wanted = (0..8).map(wanted).collect();
        operator.propose(&mut requests, &mut tray, &stop).unwrap();
        let bodies: Vec<Value> = mock.seen().iter().map(|request| body(request)).collect();
        (tray.handed, bodies)
    };
    let (handed, all) = asked(|_| true);
    assert_eq!(handed.len(), 8);
    let (handed, some) = asked(|child| child % 3 == 1);
    assert_eq!(handed, [(0, 1), (0, 4), (0, 7)]);
    assert_eq!(some, [all[1].clone(), all[4].clone(), all[7].clone()]);
}
