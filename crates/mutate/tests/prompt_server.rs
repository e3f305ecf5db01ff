//! The prompt operator against a real server; docs/endpoints.md says how to run this.
//!
//! SAMARA_ENDPOINT is the server's URL, SAMARA_ENDPOINT_MODEL a model it serves.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;

use mutate::prompt::{Answer, Api, Prompt, Settings};
use mutate::{Brief, Message, Proposal, Request, gather};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

const PARENT: &str = "def area(width, height):\n    return width * height\n";
const PARTNER: &str = "def area(width, height):\n    return 2 * width * height\n";
/// Few, for slow machines.
const MAX_TOKENS: u32 = 120;

fn settings() -> Settings {
    let variable = |name: &str| {
        std::env::var(name).unwrap_or_else(|_| panic!("set {name}; see docs/endpoints.md"))
    };
    Settings {
        endpoint: variable("SAMARA_ENDPOINT"),
        model: variable("SAMARA_ENDPOINT_MODEL"),
        max_tokens: MAX_TOKENS,
        temperature: 0.6,
        timeout_seconds: 600.0,
        idle_seconds: 600.0,
        ..Settings::default()
    }
}

fn brief() -> Brief {
    Brief {
        messages: vec![Message {
            message: "Added a third argument to area, and its use.".into(),
            weight: 1.0,
        }],
        ..Brief::default()
    }
}

/// Two replicas with two children each, one child of two crossed.
fn requests() -> [Request<'static>; 2] {
    [1, 2].map(|seed| Request {
        partner: Some(PARTNER),
        ..Request::new(PARENT, 2, ChaCha8Rng::seed_from_u64(seed))
    })
}

#[test]
#[ignore = "needs a server: SAMARA_ENDPOINT, SAMARA_ENDPOINT_MODEL"]
fn a_real_server_answers_in_every_form() {
    let never = AtomicBool::new(false);
    for (api, answer) in [
        (Api::Chat, Answer::Program),
        (Api::Chat, Answer::Diff),
        (Api::Chat, Answer::Replace),
        (Api::Completions, Answer::Program),
    ] {
        let settings = Settings {
            api,
            answer,
            crossover: 0.5,
            ..settings()
        };
        let mut operator = Prompt::new(settings, &brief()).unwrap();
        operator.probe().unwrap();
        let proposals = gather(&mut operator, &mut requests(), &never).unwrap();
        let proposals: Vec<_> = proposals.into_iter().flatten().flatten().collect();
        let mut codes = BTreeMap::new();
        for proposal in &proposals {
            match &proposal.program {
                Ok(program) => {
                    *codes.entry("ok").or_insert(0) += 1;
                    assert!(program != PARENT && program.ends_with('\n'));
                }
                // A small model writes much that is no program; but it must be the model that failed.
                Err(reason) => {
                    *codes.entry(&reason.code).or_insert(0) += 1;
                    assert!(!reason.code.starts_with("endpoint-"), "{reason:?}");
                }
            }
            let cost = proposal.cost;
            assert!(cost.tokens > 0 && cost.tokens <= MAX_TOKENS + 1, "{cost:?}");
        }
        let count = |read: fn(&Proposal) -> u32| -> u32 { proposals.iter().map(read).sum() };
        println!(
            "{api:?}, {answer:?}: {codes:?}; {} prompt tokens, {} tokens",
            count(|p| p.cost.prompt_tokens),
            count(|p| p.cost.tokens)
        );
        assert_eq!(proposals.len(), 4);
    }
}
