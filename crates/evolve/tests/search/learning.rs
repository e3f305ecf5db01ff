//! An operator that learns from the run: what it knows by any child is the same, whatever the pace and however often the
//! run is interrupted.

use std::path::PathBuf;
use std::sync::Mutex;

use evolve::settings::Learn;
use evolve::store::WEIGHTS;
use mutate::{Learned, Learner, Round};

use super::*;

/// Learns a number from all that a round is given, and adds letters by it.
struct Scholar {
    /// The generation that writes, and its number.
    knows: Option<(u32, u64)>,
    /// How long a round takes.
    pause: Duration,
    /// Rounds learned, as opposed to read back.
    studied: Arc<Mutex<Vec<u32>>>,
    /// What a round comes to instead, where something goes wrong.
    fails: fn(u32) -> Result<(), mutate::Error>,
}

fn scholar(pause: u64) -> Scholar {
    Scholar {
        knows: None,
        pause: Duration::from_millis(pause),
        studied: Arc::default(),
        fails: |_| Ok(()),
    }
}

fn file(folder: &Path, number: u32) -> PathBuf {
    folder.join(number.to_string())
}

impl Scholar {
    /// A number that depends on every lesson, on the round's stream and on its judge.
    fn study(&self, round: &mut Round<'_>, stop: &AtomicBool) -> Option<(u64, u64)> {
        let mut sum = round.rng.random::<u32>().into();
        // Seven letters do not run.
        let (mut count, mut parents) = (0, vec!["ddddddd".to_owned()]);
        let mut take = |lesson: mutate::Lesson| {
            let text = format!("{lesson:?}");
            sum = text.bytes().fold(sum, |sum: u64, byte| {
                sum.wrapping_mul(31).wrapping_add(byte.into())
            });
            count += 1;
            parents.push(lesson.parent + &"d".repeat(40));
            !stop.load(SeqCst)
        };
        round.lessons.each(true, &mut take).unwrap();
        let began = Instant::now();
        while began.elapsed() < self.pause {
            if stop.load(SeqCst) {
                return None;
            }
            (round.tell)("thinking");
            std::thread::sleep(Duration::from_millis(1));
        }
        let programs: Vec<&str> = parents.iter().map(String::as_str).collect();
        let verdicts = round.judge.judge(&programs, stop).unwrap();
        if verdicts.len() < programs.len() {
            return None;
        }
        assert!(verdicts.iter().any(|verdict| verdict.accepted));
        assert!(!verdicts[0].runnable && !verdicts[0].accepted);
        let text = format!("{verdicts:?}");
        Some((sum.wrapping_add(text.bytes().map(u64::from).sum()), count))
    }
}

impl Learner for Scholar {
    fn learn(
        &mut self,
        mut round: Round<'_>,
        stop: &AtomicBool,
    ) -> Result<Option<Learned>, mutate::Error> {
        let (number, folder) = (round.number, round.folder);
        (self.fails)(number)?;
        if round.was_kept
            && let Ok(text) = std::fs::read_to_string(file(folder, number))
        {
            self.knows = Some((number, text.parse().unwrap()));
            return Ok(Some(Learned::default()));
        }
        let Some((sum, lessons)) = self.study(&mut round, stop) else {
            return Ok(None);
        };
        self.studied.lock().unwrap().push(number);
        let before = self.knows.map_or(0, |(_, sum)| sum);
        // What a round comes to depends on what was known before.
        let kept = round.was_kept || number == 2 || (sum ^ before) & 1 == 1;
        if kept {
            std::fs::create_dir_all(folder).unwrap();
            std::fs::write(file(folder, number), sum.to_string()).unwrap();
            self.knows = Some((number, sum));
        }
        Ok(Some(Learned {
            kept,
            lessons,
            why: format!("{before} before"),
            ..Learned::default()
        }))
    }
}

impl Operator for Scholar {
    fn propose(
        &mut self,
        requests: &mut [Request<'_>],
        tray: &mut dyn Tray,
        stop: &AtomicBool,
    ) -> Result<(), mutate::Error> {
        let (generation, sum) = self.knows.expect("it is asked only for what it knows");
        let mut answer = writer(0).answer(requests, stop);
        for proposal in answer.iter_mut().flatten() {
            proposal.weights = Some(generation);
            proposal.told = Some(sum.to_string());
            if let Ok(program) = &mut proposal.program {
                let letter = ["a", "b", "c", "d"][(sum % 4) as usize];
                program.insert_str(0, letter);
                program.truncate(60);
            }
        }
        hand(answer, tray);
        Ok(())
    }

    fn learner(&mut self) -> Option<&mut dyn Learner> {
        Some(self)
    }
}

/// Rounds after every second iteration; the settings of a run that learns.
fn learning(threads: usize, delay: u32, meanwhile: u64) -> Settings {
    let mut settings = settings(threads);
    settings.evaluations = 300;
    settings.search.delay = delay;
    settings.learn = Learn {
        every: 40,
        meanwhile,
    };
    settings
}

fn class(scholar: Scholar) -> Vec<Active> {
    pair(letters(0), Box::new(scholar))
}

/// What an undisturbed run ends with, and its rounds.
fn undisturbed(settings: &Settings, scholar: Scholar) -> (Vec<Child>, Rounds) {
    let folder = tempfile::tempdir().unwrap();
    let mut store = create(&folder.path().join("run"), settings);
    let never = AtomicBool::new(false);
    search(&mut store, class(scholar), &never, &mut |_| {}).unwrap();
    (content(&store), rounds(&store))
}

type Rounds = Vec<(u32, u64, Learned)>;

fn rounds(store: &Store) -> Rounds {
    let noted = store.rounds().unwrap().into_iter();
    noted
        .map(|noted| (noted.round, noted.bound, noted.learned))
        .collect()
}

/// Two runs, or the beginnings of two, with the first child and the first round in which they differ.
#[track_caller]
fn assert_same(one: &(Vec<Child>, Rounds), other: &(Vec<Child>, Rounds), which: &str) {
    let differ = one.0.iter().zip(&other.0).find(|(one, other)| one != other);
    assert_eq!(differ, None, "{which}");
    let differ = one.1.iter().zip(&other.1).find(|(one, other)| one != other);
    assert_eq!(differ, None, "{which}");
}

/// As [`assert_same`], of runs that have ended.
#[track_caller]
fn assert_equal(one: &(Vec<Child>, Rounds), other: &(Vec<Child>, Rounds), which: &str) {
    assert_same(one, other, which);
    let lengths = |run: &(Vec<Child>, Rounds)| (run.0.len(), run.1.len());
    assert_eq!(lengths(one), lengths(other), "{which}");
}

#[test]
fn a_run_that_learns_is_the_same_whatever_its_pace_and_the_threads() {
    let mut some_fell = false;
    for (delay, meanwhile) in [(0, 0), (1, 0), (1, 24), (0, 20), (2, 24)] {
        let run = undisturbed(&learning(2, delay, meanwhile), scholar(0));
        for (threads, pause) in [(1, 3), (3, 40)] {
            let again = undisturbed(&learning(threads, delay, meanwhile), scholar(pause));
            assert_equal(&again, &run, &format!("{threads} threads, delay {delay}"));
        }
        let (children, rounds) = run;
        // 6 replicas of 4 children make 24 an iteration; a round follows every second one.
        let bounds: Vec<_> = rounds.iter().map(|(_, bound, _)| *bound).collect();
        assert_eq!(bounds[..3], [49, 97, 145]);
        some_fell |= rounds.iter().any(|(.., learned)| !learned.kept);
        let lessons = |bound| {
            let before = children[1..bound].iter();
            before.filter(|child| child.accepted).count() as u64
        };
        for (_, bound, learned) in &rounds {
            assert_eq!(learned.lessons, lessons(*bound as usize));
        }
        let own: Vec<_> = children.iter().filter(|c| c.operator == "other").collect();
        let first = own.iter().map(|child| child.iteration).min();
        let meanwhile = meanwhile.div_ceil(24);
        let kept = rounds.iter().find(|(.., learned)| learned.kept).unwrap();
        let begun = 2 * u64::from(kept.0) + 1 + u64::from(delay);
        assert_eq!(first, Some(begun + meanwhile));
        for child in own {
            let since = (child.iteration - 1 - u64::from(delay)) % 2;
            assert!(since >= meanwhile, "{}", child.iteration);
            let round = ((child.iteration - 1 - u64::from(delay)) / 2) as u32;
            let kept = rounds.iter().rfind(|(n, _, l)| *n <= round && l.kept);
            assert_eq!(child.weights, kept.map(|(n, ..)| *n));
        }
        for iteration in 1..first.unwrap() {
            let all = children.iter().filter(|c| c.iteration == iteration);
            assert!(all.into_iter().all(|child| child.operator == "one"));
        }
    }
    assert!(some_fell);
}

#[test]
fn a_run_that_learns_is_resumed_to_the_same() {
    for (delay, meanwhile) in [(0, 0), (1, 0), (1, 24)] {
        let expected = undisturbed(&learning(2, delay, meanwhile), scholar(0));
        for (step, loses) in [(1, false), (24, false), (24, true), (61, true), (7, true)] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("run");
            drop(create(&path, &learning(2, delay, meanwhile)));
            let studied = Arc::<Mutex<Vec<u32>>>::default();
            let mut sittings = 0;
            loop {
                let mut store = Store::resume(&path).unwrap();
                let stop = AtomicBool::new(false);
                let own = Scholar {
                    studied: studied.clone(),
                    ..scholar(sittings % 3)
                };
                let end = search(&mut store, class(own), &stop, &mut |p| {
                    stop.store(p.fresh >= step, SeqCst);
                })
                .unwrap();
                sittings += 1;
                let there = (content(&store), rounds(&store));
                assert_same(&there, &expected, &format!("{delay} {meanwhile} {step}"));
                if loses {
                    let _ = std::fs::remove_dir_all(path.join(WEIGHTS));
                }
                if end.evaluations == end.target {
                    break;
                }
            }
            assert!(sittings > 3, "{sittings} sittings of {step}");
            let store = Store::open(&path).unwrap();
            let there = (content(&store), rounds(&store));
            assert_equal(&there, &expected, &format!("{delay} {meanwhile} {step}"));
            let mut studied = studied.lock().unwrap().clone();
            if !loses {
                // Each once, unless the search ended between the learning of a round and the note of it.
                studied.dedup();
                assert!(studied.is_sorted(), "{studied:?}");
            }
        }
    }
}

#[test]
fn a_run_that_learns_and_is_made_longer_is_the_longer_run() {
    let expected = undisturbed(&learning(2, 1, 24), scholar(0));
    for first in [1, 49, 73, 97, 120, 121, 200] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run");
        let mut short = learning(2, 1, 24);
        short.evaluations = first;
        let mut store = create(&path, &short);
        let never = AtomicBool::new(false);
        search(&mut store, class(scholar(0)), &never, &mut |_| {}).unwrap();
        drop(store);
        let mut store = Store::resume(&path).unwrap();
        store.set_settings(learning(2, 1, 24)).unwrap();
        search(&mut store, class(scholar(0)), &never, &mut |_| {}).unwrap();
        let there = (content(&store), rounds(&store));
        assert_equal(&there, &expected, &format!("from {first}"));
    }
}

#[test]
fn others_go_on_while_one_learns_and_an_interrupt_ends_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = create(&folder.path().join("run"), &learning(2, 1, 24));
    let stop = AtomicBool::new(false);
    let mut placed = Vec::new();
    let began = Instant::now();
    let slow = pair(letters(20), Box::new(scholar(60_000)));
    let end = search(&mut store, slow, &stop, &mut |p| {
        if let Some(learning) = &p.learning {
            assert_eq!(learning.round, 1);
            placed.push(p.evaluations);
        }
        // The round begins after iteration 2; iteration 4 is proposed without it, and is the last that can be.
        stop.store(
            p.evaluations >= 96 || began.elapsed() > Duration::from_secs(50),
            SeqCst,
        );
    })
    .unwrap();
    assert!(began.elapsed() < Duration::from_secs(30));
    assert_eq!(end.evaluations, 96);
    assert!(placed.iter().any(|n| *n < 96), "{placed:?}");
    assert!(store.rounds().unwrap().is_empty() && end.learning.is_none());
}

#[test]
fn a_learner_that_fails_ends_the_run_and_loses_nothing() {
    let expected = undisturbed(&learning(2, 1, 0), scholar(0));
    type Fails = fn(u32) -> Result<(), mutate::Error>;
    let failures: [(Fails, &str); 2] = [
        (
            |round| if round == 2 { panic!("boom") } else { Ok(()) },
            "boom",
        ),
        (
            |round| match round {
                2 => Err(mutate::Error::Learning("weights/2 is full".to_owned())),
                _ => Ok(()),
            },
            "weights/2 is full",
        ),
    ];
    for (fails, words) in failures {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run");
        let mut store = create(&path, &learning(2, 1, 0));
        let never = AtomicBool::new(false);
        let frail = Scholar {
            fails,
            ..scholar(0)
        };
        let error = search(&mut store, class(frail), &never, &mut |_| {}).unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
        assert_eq!(rounds(&store), expected.1[..1]);
        let there = (content(&store), rounds(&store));
        assert!(there.0.len() > 48);
        assert_same(&there, &expected, words);
        drop(store);
        let mut store = Store::resume(&path).unwrap();
        search(&mut store, class(scholar(0)), &never, &mut |_| {}).unwrap();
        let there = (content(&store), rounds(&store));
        assert_equal(&there, &expected, words);
    }
}

#[test]
fn who_cannot_learn_is_told_at_the_start() {
    let refused = |settings: Settings, operators: Vec<Active>| {
        let folder = tempfile::tempdir().unwrap();
        let mut store = create(&folder.path().join("run"), &settings);
        let never = AtomicBool::new(false);
        let error = search(&mut store, operators, &never, &mut |_| {}).unwrap_err();
        assert!(store.is_empty().unwrap());
        error.to_string()
    };
    let error = refused(settings(1), class(scholar(0)));
    assert!(error.contains("learn.every") && error.contains("--self-improve"));
    let error = refused(learning(1, 1, 0), pair(letters(0), letters(0)));
    assert!(error.contains("learn.every") && error.contains("learns"));
    let alone = class(scholar(0)).split_off(1);
    let error = refused(learning(1, 1, 0), alone);
    assert!(
        error.contains("give it a teacher: --operator gp"),
        "{error}"
    );
}
