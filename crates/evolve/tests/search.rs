//! The search with operators and a domain made for the purpose: what it promises whatever they do.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

use evolve::Error;
use evolve::domain::{Case, Domain, Evaluation, Evaluator, Outcome};
use evolve::search::{Progress, run};
use evolve::settings::Settings;
use evolve::store::{Child, DATABASE, Store};
use mutate::reason::NO_MUTATION;
use mutate::{Active, Cost, Lost, Operator, Proposal, Reason, Request, Tray};
use qd::Axis;
use rand::RngExt;

type Answer = Result<Vec<Vec<Proposal>>, mutate::Error>;

fn axes() -> Vec<Axis> {
    let axis = |name: &str, high| Axis {
        name: name.to_owned(),
        low: 0.0,
        high,
        bins: 12,
    };
    vec![
        axis("height", 20.0),
        axis("width", 20.0),
        axis("mass", 240.0),
    ]
}

/// Programs are texts; where they lie and how good they are is read off their bytes.
struct Texts {
    /// Evaluating a program that holds this panics.
    poison: &'static str,
}

impl Domain for Texts {
    fn axes(&self) -> Vec<Axis> {
        axes()
    }

    fn evaluator(&self) -> Result<Box<dyn Evaluator>, Error> {
        Ok(Box::new(Texts { ..*self }))
    }
}

impl Evaluator for Texts {
    fn evaluate(&mut self, cases: &[Case<'_>]) -> Vec<Evaluation> {
        let one = |case: &Case<'_>| {
            let Case { program, condition } = case;
            assert_eq!(*condition, "{}");
            assert!(!program.contains(self.poison), "poisoned");
            let count = |letter| program.matches(letter).count() as f64;
            let outcome = match program.len() % 11 {
                7 => Outcome::Unrunnable(Reason {
                    code: "exception".to_owned(),
                    message: "seven".to_owned(),
                }),
                _ => Outcome::Scored {
                    measures: vec![2.0 * count('a'), 2.0 * count('b'), 20.0 * count('c')],
                    fitness: count('d'),
                },
            };
            Evaluation {
                outcome,
                artifact: None,
                time: Duration::from_millis(1),
            }
        };
        cases.iter().map(one).collect()
    }
}

/// Adds letters, as a language model would: what it says depends on all that it is asked in one call, and it crosses
/// with the partner where chance has it.
struct Letters {
    pause: Duration,
    price: f64,
}

impl Letters {
    fn answer(&self, requests: &mut [Request<'_>], stop: &AtomicBool) -> Vec<Vec<Proposal>> {
        let asked: usize = requests.iter().map(|r| r.parent.len() + r.count()).sum();
        let mut answers = Vec::new();
        for request in requests {
            std::thread::sleep(self.pause);
            if stop.load(SeqCst) {
                break;
            }
            let count = request.count();
            let Request {
                parent,
                partner,
                rng,
                ..
            } = request;
            let mut one = || {
                let tokens = rng.random_range(1..9);
                let letters: String = (0..tokens)
                    .map(|_| ["a", "b", "c", "d"][(asked + rng.random_range(0..4)) % 4])
                    .collect();
                let crossed = partner.filter(|_| rng.random());
                let program = match tokens {
                    8 => Err(Reason::new(&NO_MUTATION, "it would not do")),
                    _ => Ok(format!("{parent}{letters}{}", crossed.unwrap_or(""))),
                };
                Proposal {
                    program: program.map(|mut text| {
                        text.truncate(60);
                        text
                    }),
                    crossed: crossed.is_some(),
                    told: Some(format!("Add {letters}")),
                    weights: Some(0),
                    cost: Cost {
                        prompt_tokens: 10,
                        tokens,
                        seconds: 0.0,
                        dollars: self.price * f64::from(tokens),
                    },
                }
            };
            answers.push((0..count).map(|_| one()).collect());
        }
        answers
    }
}

/// Hands over a whole answer.
fn hand(answer: Vec<Vec<Proposal>>, tray: &mut dyn Tray) {
    for (request, proposals) in answer.into_iter().enumerate() {
        for (child, proposal) in proposals.into_iter().enumerate() {
            tray.hand(request, child, proposal);
        }
    }
}

impl Operator for Letters {
    fn propose(
        &mut self,
        requests: &mut [Request<'_>],
        tray: &mut dyn Tray,
        stop: &AtomicBool,
    ) -> Result<(), mutate::Error> {
        hand(self.answer(requests, stop), tray);
        Ok(())
    }
}

fn writer(pause: u64) -> Letters {
    Letters {
        pause: Duration::from_millis(pause),
        price: 0.25,
    }
}

fn letters(pause: u64) -> Box<dyn Operator> {
    Box::new(writer(pause))
}

/// An operator from a function of its call's number.
struct Told<F>(u64, F);

impl<F: FnMut(u64, &mut [Request<'_>], &AtomicBool) -> Answer + Send> Operator for Told<F> {
    fn propose(
        &mut self,
        requests: &mut [Request<'_>],
        tray: &mut dyn Tray,
        stop: &AtomicBool,
    ) -> Result<(), mutate::Error> {
        self.0 += 1;
        hand((self.1)(self.0, requests, stop)?, tray);
        Ok(())
    }
}

fn told<F>(tell: F) -> Box<dyn Operator>
where
    F: FnMut(u64, &mut [Request<'_>], &AtomicBool) -> Answer + Send + 'static,
{
    Box::new(Told(0, tell))
}

fn pair(one: Box<dyn Operator>, other: Box<dyn Operator>) -> Vec<Active> {
    let active = |name, weight, operator| Active {
        name,
        weight,
        operator,
    };
    vec![active("one", 1.0, one), active("other", 2.0, other)]
}

fn settings(threads: usize) -> Settings {
    let mut settings = Settings {
        evaluations: 200,
        threads,
        ..Settings::default()
    };
    settings.search.replicas = 6;
    settings.search.batch = 4;
    settings
}

fn create(folder: &Path, settings: &Settings) -> Store {
    Store::create(folder, settings, &axes(), "{}").unwrap()
}

fn search(
    store: &mut Store,
    operators: Vec<Active>,
    stop: &AtomicBool,
    observe: &mut dyn FnMut(&Progress),
) -> Result<Progress, Error> {
    let domain = Texts { poison: "venom" };
    run(operators, store, &domain, "abcd", stop, observe)
}

/// All children, but for what no two runs share.
fn content(store: &Store) -> Vec<Child> {
    let mut all = Vec::new();
    store
        .each_child(0, u64::MAX, |mut child| {
            child.at = 0.0;
            child.cost.seconds = 0.0;
            all.push(child);
            Ok(())
        })
        .unwrap();
    all
}

/// What an undisturbed run ends with.
fn whole() -> Vec<Child> {
    let folder = tempfile::tempdir().unwrap();
    let mut store = create(&folder.path().join("run"), &settings(2));
    let never = AtomicBool::new(false);
    let end = search(
        &mut store,
        pair(letters(0), letters(0)),
        &never,
        &mut |_| {},
    )
    .unwrap();
    let children = content(&store);
    let tokens = |c: &Child| u64::from(c.cost.tokens);
    assert_eq!(end.tokens, children.iter().map(tokens).sum::<u64>());
    assert!(end.proposing > 0.0 && end.proposing <= 1.0);
    assert_eq!((end.evaluations, children.len()), (200, 201));
    children
}

#[test]
fn two_operators_make_one_run_whatever_their_pace_and_the_threads() {
    let expected = whole();
    for (threads, pauses) in [(1, (0, 3)), (3, (2, 0))] {
        let folder = tempfile::tempdir().unwrap();
        let mut store = create(&folder.path().join("run"), &settings(threads));
        let operators = pair(letters(pauses.0), letters(pauses.1));
        let never = AtomicBool::new(false);
        search(&mut store, operators, &never, &mut |_| {}).unwrap();
        assert_eq!(content(&store), expected, "{threads} threads");
    }
    let by = |name| expected.iter().filter(|c| c.operator == name).count();
    assert!(by("one") > 20 && by("other") > by("one"));

    let mut crossed = 0;
    for child in &expected[1..] {
        let partner = child.partner.map(|id| &expected[id as usize]);
        crossed += usize::from(partner.is_some());
        if let Some(partner) = partner {
            assert!(child.iteration > 1, "the seed has nobody to cross with");
            assert!(partner.accepted || partner.id == 0);
            assert!(partner.iteration < child.iteration && child.partner != child.parent);
        }
    }
    assert!(crossed > 20);
}

#[test]
fn the_cost_of_proposals_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = create(&folder.path().join("run"), &settings(2));
    let exact = told(|_, requests, _| {
        let child = Proposal {
            cost: Cost {
                prompt_tokens: 3,
                tokens: 2,
                seconds: 0.5,
                dollars: 0.125,
            },
            ..Ok("abcd".to_owned()).into()
        };
        let batch = |r: &Request<'_>| vec![child.clone(); r.count()];
        Ok(requests.iter().map(batch).collect())
    });
    let free = told(|_, requests, _| {
        let batch = |r: &Request<'_>| vec![Ok("dcba".to_owned()).into(); r.count()];
        Ok(requests.iter().map(batch).collect())
    });
    let never = AtomicBool::new(false);
    search(&mut store, pair(exact, free), &never, &mut |_| {}).unwrap();
    let sum = |name: &str| {
        let tallies = store.tallies().unwrap();
        let own: Vec<_> = tallies.iter().filter(|t| t.operator == name).collect();
        let count: u64 = own.iter().map(|t| t.count).sum();
        let spent = own
            .iter()
            .fold(evolve::store::Spent::default(), |mut sum, t| {
                sum += t.spent;
                sum
            });
        (count, spent)
    };
    let (count, spent) = sum("one");
    assert!(count > 20);
    assert_eq!((spent.prompt_tokens, spent.tokens), (3 * count, 2 * count));
    assert_eq!(spent.propose_seconds, 0.5 * count as f64);
    assert_eq!(spent.dollars, 0.125 * count as f64);
    // Who names no seconds is timed.
    let (count, spent) = sum("other");
    assert_eq!((spent.tokens, spent.dollars), (0, 0.0));
    assert!(count > 20 && spent.propose_seconds > 0.0);
}

#[test]
fn a_run_interrupted_at_any_child_ends_as_if_it_had_not_been() {
    let expected = whole();
    for step in [1, 13, 24, 61] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run");
        drop(create(&path, &settings(2)));
        let mut sittings = 0;
        loop {
            let mut store = Store::resume(&path).unwrap();
            let stop = AtomicBool::new(false);
            let operators = pair(letters(sittings % 2), letters(0));
            let end = search(&mut store, operators, &stop, &mut |p| {
                stop.store(p.fresh >= step, SeqCst);
            })
            .unwrap();
            sittings += 1;
            // The store is a beginning of the run.
            let there = content(&store);
            assert_eq!(there, expected[..there.len()]);
            if end.evaluations == end.target {
                break;
            }
        }
        assert!(sittings > 2, "{sittings} sittings of {step}");
        let store = Store::open(&path).unwrap();
        assert_eq!(content(&store), expected);
        assert_eq!(store.stretches().unwrap().len() as u64, sittings);
    }
}

#[test]
fn an_interrupt_ends_an_operator_that_is_at_work() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = create(&folder.path().join("run"), &settings(2));
    let stop = AtomicBool::new(false);
    let thinking = Arc::new(AtomicBool::new(false));
    let seen = thinking.clone();
    let able = writer(0);
    let endless = told(move |call, requests, stop| {
        if call == 2 {
            thinking.store(true, SeqCst);
            while !stop.load(SeqCst) {
                std::thread::sleep(Duration::from_millis(1));
            }
            // Half of an answer is none: the rest is asked for again.
            let mut half = able.answer(requests, &AtomicBool::new(false));
            half[0].pop();
            return Ok(half);
        }
        Ok(able.answer(requests, stop))
    });
    let end = search(&mut store, pair(letters(0), endless), &stop, &mut |_| {
        stop.store(seen.load(SeqCst), SeqCst);
    })
    .unwrap();
    assert!(seen.load(SeqCst) && end.evaluations < end.target);
    let there = content(&store);
    assert_eq!(there, whole()[..there.len()]);
}

#[test]
fn children_are_written_while_an_operator_is_at_work() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = create(&folder.path().join("run"), &settings(1));
    let written = Arc::new(AtomicU64::new(0));
    let seen = written.clone();
    let able = writer(0);
    let patient = told(move |call, requests, stop| {
        // The second iteration's operator waits for the whole of the first one to be in the store.
        let began = Instant::now();
        while call == 2 && seen.load(SeqCst) < 24 && !stop.load(SeqCst) {
            assert!(began.elapsed() < Duration::from_secs(60), "nothing came");
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(able.answer(requests, stop))
    });
    let never = AtomicBool::new(false);
    search(&mut store, pair(letters(0), patient), &never, &mut |p| {
        written.store(p.evaluations, SeqCst);
    })
    .unwrap();
    assert_eq!(content(&store), whole());
}

#[test]
fn an_operator_that_fails_ends_the_run_and_loses_nothing() {
    type Failure = (fn(Answer) -> Answer, &'static [&'static str]);
    let failures: [Failure; 7] = [
        (|_| panic!("boom"), &["other", "panicked: boom", "kept"]),
        (
            |_| {
                Err(mutate::Error::Operator {
                    name: "other".to_owned(),
                    why: "no answer from the endpoint".to_owned(),
                    mend: "start it".to_owned(),
                })
            },
            &["other", "no answer from the endpoint", "start it"],
        ),
        (
            |answer| {
                answer.map(|mut a| {
                    a.pop();
                    a
                })
            },
            &["other", "wanted", "missing"],
        ),
        (
            |answer| {
                answer.map(|mut a| {
                    a[0].pop();
                    a
                })
            },
            &["other", "wanted", "missing"],
        ),
        (
            |answer| {
                answer.map(|mut a| {
                    a[0][0].cost.dollars = f64::NAN;
                    a
                })
            },
            &["other", "NaN"],
        ),
        (
            |answer| {
                answer.map(|mut a| {
                    let one = a[0][0].clone();
                    a[0].push(one);
                    a
                })
            },
            &["other", "child 4 of request 0", "there is none"],
        ),
        (
            |answer| {
                answer.map(|mut a| {
                    let all = a[0].clone();
                    a.push(all);
                    a
                })
            },
            &["other", "child 0 of request", "there is none"],
        ),
    ];
    for (fail, words) in failures {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run");
        let mut store = create(&path, &settings(2));
        let able = writer(0);
        let frail = told(move |call, requests, stop| {
            let answer = Ok(able.answer(requests, stop));
            if call == 4 { fail(answer) } else { answer }
        });
        let never = AtomicBool::new(false);
        let operators = pair(letters(0), frail);
        let said = search(&mut store, operators, &never, &mut |_| {})
            .unwrap_err()
            .to_string();
        for word in words {
            assert!(said.contains(word), "{word:?} in {said}");
        }
        drop(store);

        let mut store = Store::resume(&path).unwrap();
        let kept = store.len().unwrap();
        assert!(kept > 1 && kept < 201, "{kept} kept");
        let operators = pair(letters(0), letters(0));
        search(&mut store, operators, &never, &mut |_| {}).unwrap();
        assert_eq!(content(&store), whole());
    }
}

#[test]
fn an_evaluator_that_panics_ends_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = create(&folder.path().join("run"), &settings(2));
    let able = writer(0);
    let poisoner = told(move |call, requests, stop| {
        let mut answer = able.answer(requests, stop);
        if call == 3 {
            answer[0][0] = Ok("venom".to_owned()).into();
        }
        Ok(answer)
    });
    let never = AtomicBool::new(false);
    let error = search(&mut store, pair(letters(0), poisoner), &never, &mut |_| {})
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("evaluator") && error.contains("poisoned"),
        "{error}"
    );
    let there = content(&store);
    assert_eq!(there, whole()[..there.len()]);
}

#[test]
fn a_store_that_refuses_a_child_gets_none_of_those_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    let mut store = create(&path, &settings(2));
    let sql = |text: &str| {
        let db = rusqlite::Connection::open(path.join(DATABASE)).unwrap();
        db.execute_batch(text).unwrap();
    };
    sql("CREATE TRIGGER full BEFORE INSERT ON child WHEN new.id = 24
         BEGIN SELECT RAISE(ABORT, 'no more'); END");
    let never = AtomicBool::new(false);
    // The second iteration is on its way when the first one's last child is refused.
    let operators = || pair(letters(0), letters(0));
    let error = search(&mut store, operators(), &never, &mut |_| {
        std::thread::sleep(Duration::from_millis(20));
    })
    .unwrap_err()
    .to_string();
    assert!(error.contains("no more"), "{error}");
    let there = content(&store);
    assert!(there.len() <= 24, "child 24 is refused");
    assert_eq!(there, whole()[..there.len()]);
    sql("DROP TRIGGER full");
    search(&mut store, operators(), &never, &mut |_| {}).unwrap();
    assert_eq!(content(&store), whole());
}

/// Answers of a paid server: each child is a function of its place, dear, and comes out of order.
struct Paid {
    /// How often each child of an iteration was asked for, by its parent and stream.
    asked: Arc<AtomicU64>,
    /// Hangs for good at this child of the second call.
    hangs_at: Option<usize>,
    calls: usize,
}

impl Operator for Paid {
    fn propose(
        &mut self,
        requests: &mut [Request<'_>],
        tray: &mut dyn Tray,
        stop: &AtomicBool,
    ) -> Result<(), mutate::Error> {
        self.calls += 1;
        let whole = writer(0).answer(requests, &AtomicBool::new(false));
        let mut done = 0;
        // The last one first, so that what arrives must wait for its turn.
        for (index, request) in requests.iter().enumerate().rev() {
            for child in (0..request.count())
                .rev()
                .filter(|child| request.wanted[*child])
            {
                if self.calls == 2 && self.hangs_at == Some(done) {
                    while !stop.load(SeqCst) {
                        std::thread::sleep(Duration::from_millis(1));
                    }
                    tray.lose(Lost {
                        requests: 1,
                        prompt_tokens: 10,
                        dollars: 0.5,
                    });
                    return Ok(());
                }
                self.asked.fetch_add(1, SeqCst);
                tray.hand(index, child, whole[index][child].clone());
                done += 1;
            }
        }
        Ok(())
    }

    fn is_dear(&self) -> bool {
        true
    }
}

#[test]
fn an_answer_that_has_arrived_is_paid_for_once() {
    let expected = whole();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    let asked = Arc::new(AtomicU64::new(0));
    let paid = |hangs_at| -> Box<dyn Operator> {
        Box::new(Paid {
            asked: asked.clone(),
            hangs_at,
            calls: 0,
        })
    };
    let mut store = create(&path, &settings(2));
    let stop = AtomicBool::new(false);
    let (seen, mut since) = (asked.clone(), None);
    let end = search(
        &mut store,
        pair(paid(Some(5)), letters(0)),
        &stop,
        &mut |_| {
            // Once nothing has been asked for a while, the operator hangs.
            let now = seen.load(SeqCst);
            match since {
                Some((then, at)) if then == now => {
                    let at: Instant = at;
                    stop.store(at.elapsed() > Duration::from_millis(500), SeqCst);
                }
                _ => since = Some((now, Instant::now())),
            }
        },
    )
    .unwrap();
    assert!(end.evaluations < end.target);
    let kept = store.kept().unwrap();
    assert!(!kept.is_empty(), "what came early is in the store");
    assert_eq!(store.len().unwrap(), content(&store).len() as u64);
    let stretch = &store.stretches().unwrap()[0];
    assert_eq!((stretch.lost.requests, stretch.lost.dollars), (1, 0.5));
    drop(store);

    let mut store = Store::resume(&path).unwrap();
    let never = AtomicBool::new(false);
    search(
        &mut store,
        pair(paid(None), letters(0)),
        &never,
        &mut |_| {},
    )
    .unwrap();
    assert_eq!(content(&store), expected);
    assert!(store.kept().unwrap().is_empty());
    let own = expected.iter().filter(|c| c.operator == "one").count() as u64;
    assert_eq!(asked.load(SeqCst), own, "nobody is asked for twice");
}

/// `letters` depends on all that it is asked in a call, so a short last iteration would show.
#[test]
fn a_run_made_longer_is_the_longer_run() {
    let expected = whole();
    for first in [1, 23, 24, 25, 131] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run");
        let mut short = settings(2);
        short.evaluations = first;
        let mut store = create(&path, &short);
        let never = AtomicBool::new(false);
        let operators = || pair(letters(0), letters(0));
        let end = search(&mut store, operators(), &never, &mut |_| {}).unwrap();
        assert_eq!((end.evaluations, store.len().unwrap()), (first, first + 1));
        assert_eq!(content(&store), expected[..=first as usize]);
        drop(store);
        let mut store = Store::resume(&path).unwrap();
        store.set_settings(settings(2)).unwrap();
        search(&mut store, operators(), &never, &mut |_| {}).unwrap();
        assert_eq!(content(&store), expected, "{first}");
        let finished = evolve::search::finished(&store).unwrap();
        assert_eq!((finished.evaluations, finished.fresh), (200, 0));
    }
}

/// An evaluator that breaks its contract.
struct Odd(fn(Vec<Evaluation>) -> Vec<Evaluation>);

impl Domain for Odd {
    fn axes(&self) -> Vec<Axis> {
        axes()
    }

    fn evaluator(&self) -> Result<Box<dyn Evaluator>, Error> {
        Ok(Box::new(Odd(self.0)))
    }
}

impl Evaluator for Odd {
    fn evaluate(&mut self, cases: &[Case<'_>]) -> Vec<Evaluation> {
        let all = Texts { poison: "venom" }.evaluate(cases);
        // The seed is evaluated alone.
        match cases[0].program == "abcd" {
            true => all,
            false => (self.0)(all),
        }
    }
}

#[test]
fn evaluators_are_held_to_their_contract() {
    type Breach = fn(Vec<Evaluation>) -> Vec<Evaluation>;
    let measured: Breach = |mut all| {
        for evaluation in &mut all {
            if let Outcome::Scored { measures, .. } = &mut evaluation.outcome {
                measures.pop();
            }
        }
        all
    };
    let breaches: [(Breach, &str); 4] = [
        (
            |mut all| {
                all.pop();
                all
            },
            "results for",
        ),
        (
            |mut all| {
                all.extend(all.clone());
                all
            },
            "results for",
        ),
        (|_| Vec::new(), "it gave 0 results"),
        (measured, "2 measures for 3 axes"),
    ];
    for (breach, words) in breaches {
        let folder = tempfile::tempdir().unwrap();
        let mut store = create(&folder.path().join("run"), &settings(2));
        let never = AtomicBool::new(false);
        let operators = pair(letters(0), letters(0));
        let error = run(
            operators,
            &mut store,
            &Odd(breach),
            "abcd",
            &never,
            &mut |_| {},
        );
        let said = error.unwrap_err().to_string();
        assert!(said.contains("evaluator") && said.contains(words), "{said}");
        let there = content(&store);
        assert_eq!(there, whole()[..there.len()]);
    }
}

#[test]
fn scores_that_are_no_numbers_are_told() {
    let score = |fitness: f64, first: f64| Evaluation {
        outcome: Outcome::Scored {
            measures: vec![first, 1.0, 1.0],
            fitness,
        },
        artifact: None,
        time: Duration::ZERO,
    };
    struct Fixed(Evaluation, Evaluation);
    impl Domain for Fixed {
        fn axes(&self) -> Vec<Axis> {
            axes()
        }
        fn evaluator(&self) -> Result<Box<dyn Evaluator>, Error> {
            Ok(Box::new(Fixed(self.0.clone(), self.1.clone())))
        }
    }
    impl Evaluator for Fixed {
        fn evaluate(&mut self, cases: &[Case<'_>]) -> Vec<Evaluation> {
            let one = |case: &Case<'_>| match case.program {
                "abcd" => self.0.clone(),
                _ => self.1.clone(),
            };
            cases.iter().map(one).collect()
        }
    }
    let go = |seed, others| {
        let folder = tempfile::tempdir().unwrap();
        let mut store = create(&folder.path().join("run"), &settings(1));
        let never = AtomicBool::new(false);
        let operators = pair(letters(0), letters(0));
        let domain = Fixed(seed, others);
        let end = run(operators, &mut store, &domain, "abcd", &never, &mut |_| {});
        (end.map_err(|e| e.to_string()), content(&store))
    };
    for bad in [score(f64::NAN, 1.0), score(1.0, f64::INFINITY)] {
        let (end, there) = go(bad.clone(), score(1.0, 1.0));
        assert!(end.unwrap_err().contains("not-finite") && there.is_empty());
        let (end, there) = go(score(1.0, 1.0), bad);
        end.unwrap();
        let reasons = there[1..]
            .iter()
            .map(|c| c.reason.as_ref().unwrap().code.as_str());
        assert!(
            reasons
                .into_iter()
                .all(|code| ["not-finite", "no-mutation"].contains(&code))
        );
    }
}

#[path = "search/learning.rs"]
mod learning;
