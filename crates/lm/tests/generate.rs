//! Writing with a tiny model whose weights are random: what comes is held to the guides all the same, and does not
//! depend on what is written beside it.

use std::cell::Cell;
use std::path::Path;
use std::sync::Arc;

use edit::diff::Diff;
use edit::guide::{DiffGuide, DiffOptions, Guide, LineGuide, LineOptions};
use edit::python::Prefix;
use lm::cpu::{Decoder, Precision};
use lm::engine::Engine;
use lm::{Checkpoint, End, Free, Generator, Limits, Sampling, Task, Written};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

const PROGRAM: &str = "def make(wc):\n    a = wc.add_joint(0, 0)\n    b = wc.add_joint(0, 5)\n    for k in range(2):\n        wc.add_muscle(a, b, k)\n    return wc\n";

/// What the tiny model can read.
const CONTEXT: usize = 256;

const LIKELY: Sampling = Sampling {
    temperature: 1.0,
    min_p: 0.0,
};

fn checkpoint() -> Checkpoint {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tiny/llama");
    Checkpoint::open(&folder).unwrap()
}

fn writer(precision: Precision, batch: usize, memory: usize) -> Generator<Decoder> {
    let checkpoint = checkpoint();
    let decoder = Decoder::load(&checkpoint, precision).unwrap();
    let tokenizer = Arc::new(checkpoint.tokenizer);
    Generator::new(decoder, tokenizer, Limits { batch, memory })
}

/// A task that goes on after the first bytes of a text, which is the beginning of all with the same text.
fn task<G, E: Engine>(
    writer: &Generator<E>,
    text: &str,
    place: usize,
    lead: &str,
    guide: G,
    seed: u64,
) -> Task<G> {
    let beginning: Arc<[u32]> = writer.tokenizer().encode(text).into();
    let (mut seen, mut end) = (0, 0);
    for token in &*beginning {
        let next = end + writer.tokenizer().bytes(*token).len();
        if next > place {
            break;
        }
        (seen, end) = (seen + 1, next);
    }
    assert!(seen > 0);
    Task {
        prefix: Arc::default(),
        beginning,
        seen,
        lead: [&text.as_bytes()[end..place], lead.as_bytes()].concat(),
        guide,
        most: 60,
        rng: ChaCha8Rng::seed_from_u64(seed),
    }
}

/// Rewrites of each of the program's lines but the first, thrice.
fn lines<E: Engine>(writer: &Generator<E>) -> Vec<(usize, Task<LineGuide>)> {
    let lengths: Vec<usize> = PROGRAM.split_inclusive('\n').map(str::len).collect();
    let options = LineOptions {
        max_line: 40,
        ..LineOptions::default()
    };
    let all = (1..lengths.len()).flat_map(|first| (0..3).map(move |seed| (first, seed)));
    all.map(|(first, seed)| {
        let guide = LineGuide::new(PROGRAM, first, 1, options.clone()).unwrap();
        let place = PROGRAM.len() + lengths[..first].iter().sum::<usize>();
        let text = [PROGRAM, PROGRAM].concat();
        let task = task(writer, &text, place, "", guide, seed);
        (first, task)
    })
    .collect()
}

fn diffs<E: Engine>(writer: &Generator<E>, count: u64) -> Vec<Task<DiffGuide>> {
    let options = DiffOptions {
        max_hunks: 1,
        max_added: 2,
        max_line: 20,
        ..DiffOptions::default()
    };
    (0..count)
        .map(|seed| {
            let guide = DiffGuide::new("walker.py", PROGRAM, options.clone());
            task(writer, PROGRAM, PROGRAM.len(), "\n# Diff:\n", guide, seed)
        })
        .collect()
}

fn is_python(text: &str) -> bool {
    let mut prefix = Prefix::new();
    prefix.push_all(text.as_bytes()) && prefix.is_complete()
}

/// What a text came to, without what depends on which was the first to read a beginning.
fn outcome<G>(written: Vec<Written<G>>) -> Vec<(Vec<u8>, End, usize, usize)> {
    let all = written.into_iter();
    all.map(|w| (w.text, w.end, w.drawn, w.forced)).collect()
}

fn check_lines<E: Engine>(mut writer: Generator<E>) {
    let (firsts, tasks): (Vec<_>, Vec<_>) = lines(&writer).into_iter().unzip();
    let mut done = 0;
    for (first, written) in firsts
        .into_iter()
        .zip(writer.write(tasks, LIKELY, &|| false).unwrap())
    {
        // The last token may reach over the end of the line, into blanks.
        let text = written.guide.text();
        let over = written.text.strip_prefix(text).unwrap();
        assert!(over.iter().all(u8::is_ascii_whitespace));
        assert!(written.drawn > 0);
        match written.end {
            End::Done => {
                done += 1;
                let program = written.guide.result().unwrap();
                let lines: Vec<&str> = PROGRAM.split_inclusive('\n').collect();
                let right = [
                    lines[..first].concat().as_bytes(),
                    text,
                    lines[first + 1..].concat().as_bytes(),
                ]
                .concat();
                assert_eq!(program.as_bytes(), right);
                assert_ne!(program, PROGRAM);
                assert!(is_python(&program), "{program}");
            }
            End::Length => assert!(written.drawn + written.forced >= 60),
            End::Stuck => assert!(written.drawn + written.forced < 60),
            End::Stopped => panic!("nobody stopped it"),
        }
    }
    assert!(done >= 5, "{done}");
}

#[test]
fn lines_are_valid_edits_or_end_for_a_reason() {
    check_lines(writer(Precision::Int8, 16, 1 << 30));
}

#[cfg(feature = "gpu")]
#[test]
fn so_are_those_written_on_another_device() {
    let checkpoint = checkpoint();
    let decoder = lm::gpu::Decoder::load(&checkpoint, lm::Device::built().nth(1).unwrap()).unwrap();
    let limits = Limits {
        batch: 16,
        memory: 1 << 30,
    };
    check_lines(Generator::new(
        decoder,
        Arc::new(checkpoint.tokenizer),
        limits,
    ));
}

#[test]
fn diffs_apply() {
    let mut writer = writer(Precision::Int8, 4, 1 << 30);
    let tasks = diffs(&writer, 24);
    let mut complete = 0;
    for written in writer.write(tasks, LIKELY, &|| false).unwrap() {
        assert!(
            written
                .text
                .starts_with(b"--- a/walker.py\n+++ b/walker.py\n@@\n")
        );
        assert!(
            written.forced > 20,
            "the lead and the diff's head are not drawn"
        );
        if written.end == End::Done {
            assert!(written.guide.result().is_some());
        }
        if let Some((diff, program)) = written.guide.closed() {
            complete += 1;
            assert_eq!(Diff::parse(&diff).unwrap().apply(PROGRAM).unwrap(), program);
            assert_ne!(program, PROGRAM);
            assert!(is_python(&program), "{program}");
        }
    }
    assert!(complete >= 3, "{complete}");
}

#[test]
fn a_text_is_a_function_of_its_task_alone() {
    for precision in [Precision::Int8, Precision::F32] {
        let mut writer_ = writer(precision, 15, 1 << 30);
        let all = |writer: &Generator<Decoder>| -> Vec<Task<LineGuide>> {
            lines(writer).into_iter().map(|(_, task)| task).collect()
        };
        let tasks = all(&writer_);
        let right = outcome(writer_.write(tasks, LIKELY, &|| false).unwrap());
        for (batch, threads) in [(1, 1), (4, 2), (7, 3)] {
            let mut writer = writer(precision, batch, 0);
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            let mut tasks = all(&writer);
            tasks.reverse();
            let mut got = outcome(pool.install(|| writer.write(tasks, LIKELY, &|| false).unwrap()));
            got.reverse();
            assert_eq!(got, right, "{precision:?} {batch} {threads}");
        }
        let few: Vec<_> = all(&writer_).into_iter().step_by(4).collect();
        let got = outcome(writer_.write(few, LIKELY, &|| false).unwrap());
        let right: Vec<_> = right.into_iter().step_by(4).collect();
        assert_eq!(got, right);
    }
}

#[test]
fn beginnings_are_read_once_while_there_is_room() {
    let read = |writer: &mut Generator<Decoder>, text: &str| -> Vec<usize> {
        let tasks = (0..3)
            .map(|seed| Task {
                most: 2,
                ..task(writer, text, text.len() - seed as usize, "", Free, seed)
            })
            .collect();
        let written = writer.write(tasks, LIKELY, &|| false).unwrap();
        written.iter().map(|written| written.read).collect()
    };
    let (one, two) = (PROGRAM, &PROGRAM[30..70]);
    let mut roomy = writer(Precision::Int8, 2, 1 << 30);
    let length = |text: &str| roomy.tokenizer().encode(text).len();
    let (first, second) = (length(one), length(two));
    assert_eq!(read(&mut roomy, one), [first, 0, 0]);
    assert_eq!(read(&mut roomy, two), [second, 0, 0]);
    assert_eq!(read(&mut roomy, one), [0, 0, 0]);
    assert_eq!(read(&mut roomy, two), [0, 0, 0]);
    let mut tight = writer(Precision::Int8, 2, 1);
    assert_eq!(read(&mut tight, one), [first, 0, 0]);
    assert_eq!(read(&mut tight, one), [0, 0, 0]);
    assert_eq!(read(&mut tight, two), [second, 0, 0]);
    assert_eq!(read(&mut tight, one), [first, 0, 0]);
}

#[test]
fn what_beginnings_have_in_common_is_read_once() {
    let text = format!("{PROGRAM}\nx = [1, 2]\n");
    let (one, two) = (PROGRAM, text.as_str());
    for precision in [Precision::Int8, Precision::F32] {
        let write = |writer: &mut Generator<Decoder>, text: &str| {
            let tasks = (0..4)
                .map(|seed| Task {
                    most: 12,
                    ..task(writer, text, text.len() - 3 * seed as usize, "", Free, seed)
                })
                .collect();
            let written = writer.write(tasks, LIKELY, &|| false).unwrap();
            let read: usize = written.iter().map(|written| written.read).sum();
            let texts: Vec<_> = written.into_iter().map(|written| written.text).collect();
            (read, texts)
        };
        let apart = || writer(precision, 4, 1 << 30);
        let (first, right_one) = write(&mut apart(), one);
        let (second, right_two) = write(&mut apart(), two);
        let mut both = apart();
        assert_eq!(write(&mut both, one), (first, right_one.clone()));
        let (read, texts) = write(&mut both, two);
        assert_eq!(texts, right_two);
        assert!(read > 0 && read < second - first + 4, "{read} of {second}");
        let mut turned = apart();
        assert_eq!(write(&mut turned, two), (second, right_two));
        let (read, texts) = write(&mut turned, one);
        assert_eq!(texts, right_one);
        assert!(read < 4, "{read}");
    }
}

/// Any text, without an end.
#[derive(Default)]
struct Endless;

impl Guide for Endless {
    fn admits(&self, _: &[u8]) -> bool {
        true
    }

    fn advance(&mut self, _: &[u8]) {}

    fn forced(&self) -> Vec<u8> {
        Vec::new()
    }

    fn may_end(&self) -> bool {
        false
    }

    fn must_end(&self) -> bool {
        false
    }
}

#[test]
fn a_stop_ends_every_text() {
    let mut writer = writer(Precision::Int8, 2, 1 << 30);
    for steps in [0usize, 1, 3] {
        let tasks = (0..5)
            .map(|seed| task(&writer, PROGRAM, 30, "", Endless, seed))
            .collect();
        // Asked once for the beginning's only chunk, where it is not read yet, and then before every step.
        let left = Cell::new(steps);
        let stopped = || left.replace(left.get().saturating_sub(1)) == 0;
        let written = writer.write(tasks, LIKELY, &stopped).unwrap();
        assert_eq!(written.len(), 5);
        for (index, written) in written.iter().enumerate() {
            assert_eq!(written.end, End::Stopped);
            let running = index < 2;
            assert_eq!(written.drawn > 0, running && steps > 1, "{steps} {index}");
            assert_eq!(written.text.is_empty(), written.drawn == 0);
        }
    }
}

#[test]
fn a_text_ends_with_what_the_model_can_read() {
    let mut writer = writer(Precision::Int8, 3, 1 << 30);
    let ids: Vec<u32> = (0..400).map(|i| 3 + i * 7 % 500).collect();
    let mut write = |length: usize, seen: usize, lead: &str, most: usize| {
        let task = Task {
            prefix: Arc::default(),
            beginning: ids[..length].into(),
            seen,
            lead: lead.into(),
            guide: Endless,
            most,
            rng: ChaCha8Rng::seed_from_u64(1),
        };
        let written = writer
            .write(vec![task], LIKELY, &|| false)
            .unwrap()
            .remove(0);
        assert_eq!(written.end, End::Length);
        (written.drawn, written.forced)
    };
    assert_eq!(write(10, 10, "", 5), (5, 0));
    assert_eq!(write(10, 10, "", 0), (0, 0));
    assert_eq!(write(250, 250, "", 100), (CONTEXT - 250, 0));
    assert_eq!(write(CONTEXT, CONTEXT, "", 100), (0, 0));
    // Too long to be read; as much as is seen may still do.
    assert_eq!(write(400, 400, "", 100), (0, 0));
    assert_eq!(write(400, 250, "", 100), (CONTEXT - 250, 0));
    // A lead takes its part of that.
    assert_eq!(write(250, 250, &"x = 1\n".repeat(20), 300), (0, 0));
    let (drawn, _) = write(200, 200, "x = 1\n", 300);
    assert!((1..CONTEXT - 200).contains(&drawn), "{drawn}");
}

#[test]
fn a_likely_end_is_taken_where_the_guide_allows() {
    let mut writer = writer(Precision::F32, 8, 1 << 30);
    let tasks = (0..40)
        .map(|seed| task(&writer, PROGRAM, PROGRAM.len(), "", Free, seed))
        .collect();
    let hot = Sampling {
        temperature: 50.0,
        min_p: 0.0,
    };
    let written = writer.write(tasks, hot, &|| false).unwrap();
    // Two tokens of 512 end the text, all are about as likely, and up to 60 are drawn: about 8 of 40 end so.
    let done = written.iter().filter(|w| w.end == End::Done).count();
    assert!((1..15).contains(&done), "{done}");
    for written in &written {
        assert!(written.end == End::Done || (written.end, written.drawn) == (End::Length, 60));
        assert_eq!(written.forced, 0);
    }
}

#[test]
fn a_lead_is_read_and_does_not_count_as_written() {
    let mut writer = writer(Precision::F32, 8, 1 << 30);
    let lead = "\n# Small change of the program.\n\n# Diff:\n\n";
    let tasks = |writer: &_, lead| -> Vec<Task<Free>> {
        let one = |seed| task(writer, PROGRAM, PROGRAM.len(), lead, Free, seed);
        (0..16)
            .map(|seed| Task {
                most: 5,
                ..one(seed)
            })
            .collect()
    };
    for lead in ["", lead] {
        let tasks = tasks(&writer, lead);
        let written = writer.write(tasks, LIKELY, &|| false).unwrap();
        assert!(written.iter().any(|text| text.end == End::Length));
        for text in written {
            assert_eq!(text.forced, 0);
            assert!(text.end != End::Length || text.drawn == 5, "{}", text.drawn);
        }
    }
}

/// Wants one text, and has no choice about the first half of its last character.
struct One(Vec<u8>);

impl One {
    const TEXT: &'static [u8] = "ab\u{e9}".as_bytes();
}

impl Guide for One {
    fn admits(&self, bytes: &[u8]) -> bool {
        Self::TEXT[self.0.len()..].starts_with(bytes)
    }

    fn advance(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    fn forced(&self) -> Vec<u8> {
        let half = Self::TEXT.len() - 1;
        Self::TEXT[self.0.len().min(half)..half].to_vec()
    }

    fn may_end(&self) -> bool {
        self.must_end()
    }

    fn must_end(&self) -> bool {
        self.0.len() == Self::TEXT.len()
    }
}

#[test]
fn what_must_come_is_read_up_to_a_cut_character() {
    let mut writer = writer(Precision::F32, 1, 1 << 30);
    let task = task(&writer, PROGRAM, PROGRAM.len(), "", One(Vec::new()), 1);
    let written = writer
        .write(vec![task], LIKELY, &|| false)
        .unwrap()
        .remove(0);
    assert!(written.forced > 0, "its beginning was no choice");
    assert!(One::TEXT.starts_with(&written.text) && written.text.starts_with(b"ab"));
}

/// Marks the place after so many bytes, and takes back what comes to so many more, as often as said.
struct Again {
    text: Vec<u8>,
    mark: Option<usize>,
    left: usize,
}

impl Again {
    const BEFORE: usize = 7;
    const MORE: usize = 9;

    fn is_too_much(&self, bytes: &[u8]) -> bool {
        let long = |mark| self.text.len() + bytes.len() >= mark + Self::MORE;
        self.left > 0 && self.mark.is_some_and(long)
    }
}

impl Guide for Again {
    fn admits(&self, bytes: &[u8]) -> bool {
        !self.is_too_much(bytes)
    }

    fn advance(&mut self, bytes: &[u8]) {
        self.text.extend_from_slice(bytes);
    }

    fn forced(&self) -> Vec<u8> {
        Vec::new()
    }

    fn may_end(&self) -> bool {
        false
    }

    fn must_end(&self) -> bool {
        false
    }

    fn may_mark(&self) -> bool {
        self.mark.is_none() && self.text.len() >= Self::BEFORE
    }

    fn mark(&mut self) {
        self.mark = Some(self.text.len());
    }

    fn undoes(&self, bytes: &[u8]) -> bool {
        self.is_too_much(bytes)
    }

    fn undo(&mut self) {
        self.text.truncate(self.mark.unwrap());
        self.left -= 1;
    }
}

/// So cold that the likeliest token is drawn: what is written anew is then what was written before, if the caches are.
#[test]
fn what_is_taken_back_leaves_no_trace() {
    let cold = Sampling {
        temperature: 1e-6,
        min_p: 0.0,
    };
    for precision in [Precision::Int8, Precision::F32] {
        let mut writer = writer(precision, 3, 1 << 30);
        let mut write = |left: usize| {
            let tasks = (0..6).map(|seed| {
                let guide = Again {
                    text: Vec::new(),
                    mark: None,
                    left,
                };
                Task {
                    most: 40,
                    ..task(&writer, PROGRAM, 30 + 9 * seed as usize, " x", guide, seed)
                }
            });
            let tasks = tasks.collect();
            writer.write(tasks, cold, &|| false).unwrap()
        };
        let plain = write(0);
        for left in [1, 4] {
            for (again, plain) in write(left).iter().zip(&plain) {
                assert_eq!(again.text, plain.text);
                assert_eq!(again.guide.text, again.text);
                assert_eq!((again.guide.left, again.end), (0, End::Length));
                assert!(again.drawn >= plain.drawn + left, "what is drawn counts");
            }
        }
        // A guide that never has enough is left to itself in the end.
        let endless = write(1000);
        assert!(endless.iter().all(|written| written.end == End::Stuck));
    }
}

/// Vectors in front are read as tokens are whose embeddings they are.
#[test]
fn vectors_stand_for_tokens() {
    let checkpoint = checkpoint();
    let embedding = lm::Weight::values(&checkpoint.weights().unwrap().embedding)
        .unwrap()
        .into_owned();
    let width = checkpoint.config.hidden_size;
    for precision in [Precision::F32, Precision::Int8] {
        let mut writer = writer(precision, 3, 1 << 30);
        // An embedding in 8 bits is another vector than the one in the file.
        let exact = precision == Precision::F32;
        let tokens: Arc<[u32]> = writer.tokenizer().encode(PROGRAM).into();
        let prefix: Arc<[f32]> = tokens[..3]
            .iter()
            .flat_map(|token| &embedding[*token as usize * width..][..width])
            .copied()
            .collect();
        let tasks = |prefix: &Arc<[f32]>, beginning: &[u32]| -> Vec<Task<Free>> {
            let beginning: Arc<[u32]> = beginning.into();
            (0..6)
                .map(|seed| Task {
                    prefix: prefix.clone(),
                    seen: beginning.len() - seed as usize,
                    beginning: beginning.clone(),
                    lead: Vec::new(),
                    guide: Free,
                    most: 30,
                    rng: ChaCha8Rng::seed_from_u64(seed),
                })
                .collect()
        };
        let texts = |written: Vec<Written<Free>>| -> Vec<_> {
            written.into_iter().map(|w| (w.text, w.tokens)).collect()
        };
        let none: Arc<[f32]> = Arc::default();
        let plain = writer
            .write(tasks(&none, &tokens), LIKELY, &|| false)
            .unwrap();
        let given = writer
            .write(tasks(&prefix, &tokens[3..]), LIKELY, &|| false)
            .unwrap();
        // Read once, and not taken for the same tokens without it.
        assert_eq!(given[0].read, tokens.len() - 3);
        assert!(given[1..].iter().all(|written| written.read == 0));
        let bare = writer
            .write(tasks(&none, &tokens[3..]), LIKELY, &|| false)
            .unwrap();
        let (plain, given, bare) = (texts(plain), texts(given), texts(bare));
        assert_eq!(plain == given, exact, "{precision:?}");
        assert_ne!(bare, given);
        for (text, tokens) in &given {
            let spelled: Vec<u8> = tokens
                .iter()
                .flat_map(|token| writer.tokenizer().bytes(*token).to_vec())
                .collect();
            assert_eq!(spelled, *text);
        }
        for wrong in [vec![0.5; width + 1], vec![f32::NAN; width]] {
            let error = writer.write(tasks(&wrong.into(), &tokens), LIKELY, &|| false);
            let error = error.err().unwrap().to_string();
            assert!(error.contains("the prefix"), "{error}");
        }
    }
}
