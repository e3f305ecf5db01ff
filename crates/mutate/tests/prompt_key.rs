//! The key reaches the endpoint and nothing else.

mod prompt_mock;

use mutate::prompt::{Prompt, Settings};
use prompt_mock::{Mock, brief, chat, children, send, send_with};

const KEY: &str = "sk-very-secret-0123456789";

/// The only test of this process, so that nobody else reads the environment while it is written.
#[test]
fn the_key_reaches_the_endpoint_alone() {
    // SAFETY: no other thread runs yet.
    unsafe { std::env::set_var("SAMARA_TEST_KEY", KEY) };
    let with_key = |settings: &mut Settings| settings.key_env = "SAMARA_TEST_KEY".into();

    // A server that tells the key back: in a program, an error, a header, and as a model's name.
    let mock = Mock::new(|n, request, stream| {
        assert!(
            request
                .to_lowercase()
                .contains(&format!("authorization: bearer {KEY}"))
        );
        let bad = format!(r#"{{"error": {{"message": "bad key {KEY}"}}}}"#);
        match n {
            0 => send(stream, "200 OK", &chat(&format!("def f(): return '{KEY}'"))),
            1 => send(stream, "401 Who", &bad),
            2 => send(stream, "200 OK", &format!("<html>{KEY}")),
            3 => send_with(
                stream,
                "302 There",
                &format!("Location: http://x/{KEY}\r\n"),
                "",
            ),
            4 => send(
                stream,
                "200 OK",
                &format!(r#"{{"data": [{{"id": "{KEY}"}}]}}"#),
            ),
            _ => send(stream, "404 None", &bad),
        }
    });
    let mut operator = mock.operator(|s| {
        with_key(s);
        s.concurrency = 1;
    });
    let proposals = children(&mut operator, 4);
    assert!(proposals[0].program.as_ref().unwrap().contains("[key]"));
    let probe = operator.probe().unwrap_err();
    let seen = format!("{proposals:?} {probe} {probe:?} {operator:?}");
    assert!(
        seen.contains("[key]") && !seen.contains("very-secret"),
        "{seen}"
    );
    assert_eq!(mock.seen().len(), 6);

    // Another host that the endpoint points to.
    let other = Mock::new(|_, _, stream| send(stream, "200 OK", &chat("def f(): return 3")));
    let to = format!("Location: {}/v1/chat/completions\r\n", other.url);
    let mock = Mock::new(move |_, _, stream| send_with(stream, "308 There", &to, ""));
    children(&mut mock.operator(with_key), 1);
    assert!(mock.seen()[0].contains(KEY) && other.seen().is_empty());

    // A network without protection.
    let mut settings = Settings {
        endpoint: "http://gpu.example:8000".into(),
        model: "m".into(),
        ..Settings::default()
    };
    with_key(&mut settings);
    let error = Prompt::new(settings.clone(), &brief("Small change."))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("unprotected") && !error.contains(KEY),
        "{error}"
    );
    settings.key_env = String::new();
    Prompt::new(settings, &brief("Small change.")).unwrap();

    // SAFETY: the operators' threads have ended or do not read the environment.
    unsafe { std::env::set_var("SAMARA_TEST_KEY", format!("{KEY} and\nmore")) };
    let mut settings = Settings {
        endpoint: "https://models.example".into(),
        model: "m".into(),
        ..Settings::default()
    };
    with_key(&mut settings);
    let error = Prompt::new(settings, &brief("Small change."))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("SAMARA_TEST_KEY") && !error.contains("secret"),
        "{error}"
    );
}
