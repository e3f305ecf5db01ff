//! Decoders against llama.cpp's logits for tiny models (tests/tiny), however the tokens are dealt out: in steps, after
//! a shared beginning, beside other sequences, on several threads.

use std::path::{Path, PathBuf};
use std::slice::from_ref;

use lm::Checkpoint;
use lm::cpu::{Decoder, Precision};
use lm::engine::{Engine, Feed};

const MODELS: [&str; 4] = ["llama", "qwen2", "llama3", "qwen3"];

fn tiny(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/tiny")
        .join(name)
}

fn cpu(name: &str, precision: Precision) -> Decoder {
    Decoder::load(&Checkpoint::open(&tiny(name)).unwrap(), precision).unwrap()
}

#[test]
fn widths_that_do_not_fill_tiles_are_refused() {
    for field in ["hidden_size", "head_dim"] {
        let mut checkpoint = Checkpoint::open(&tiny("llama")).unwrap();
        match field {
            "hidden_size" => checkpoint.config.hidden_size = 40,
            _ => checkpoint.config.head_dim = 10,
        }
        let error = Decoder::load(&checkpoint, Precision::Int8).err().unwrap();
        assert!(matches!(error, lm::Error::Unsupported(_)));
        let text = error.to_string();
        assert!(
            text.contains(field) && text.contains("multiple of 16"),
            "{text}"
        );
    }
}

/// The tokens of the reference.
fn ids() -> Vec<u32> {
    let text = std::fs::read_to_string(tiny("tokens.json")).unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    serde_json::from_value(json["ids"].clone()).unwrap()
}

/// llama.cpp's logits after each of the tokens.
fn reference(name: &str) -> Vec<Vec<f32>> {
    let bytes = std::fs::read(tiny(name).join("logits.f32")).unwrap();
    let (values, rest) = bytes.as_chunks::<4>();
    assert!(rest.is_empty() && values.len() == 40 * 512);
    let values: Vec<f32> = values.iter().map(|v| f32::from_le_bytes(*v)).collect();
    values.chunks_exact(512).map(<[f32]>::to_vec).collect()
}

fn error(got: &[Vec<f32>], right: &[Vec<f32>]) -> f32 {
    assert_eq!(got.len(), right.len());
    let mut largest = 0.0f32;
    for (got, right) in got.iter().zip(right) {
        assert_eq!(got.len(), right.len());
        for (got, right) in got.iter().zip(right) {
            assert!(got.is_finite());
            largest = largest.max((got - right).abs());
        }
    }
    largest
}

/// The logits after each token, where the first `shared` are a shared beginning and the others are read `step` at a
/// time. The beginning goes on after what is seen of it, which must not show.
fn read<E: Engine>(engine: &mut E, ids: &[u32], shared: usize, step: usize) -> Vec<Vec<f32>> {
    let mut beginning = engine.cache();
    let mut logits = Vec::new();
    if shared > 0 {
        let tokens = [&ids[..shared], &[7, 300, 7]].concat();
        logits = engine.forward(&mut [Feed {
            vectors: &[],
            tokens: &tokens,
            shared: None,
            own: &mut beginning,
            logits: tokens.len(),
        }]);
        logits.truncate(shared);
    }
    let mut own = engine.cache();
    for tokens in ids[shared..].chunks(step) {
        logits.extend(engine.forward(&mut [Feed {
            vectors: &[],
            tokens,
            shared: (shared > 0).then_some((&beginning, shared)),
            own: &mut own,
            logits: tokens.len(),
        }]));
    }
    logits
}

/// Reads the reference's tokens in many ways; the largest error of any logit.
fn worst<E: Engine>(engine: &mut E, name: &str) -> f32 {
    let (ids, right) = (ids(), reference(name));
    let ways = [
        (0, 40),
        (0, 1),
        (0, 7),
        (1, 39),
        (5, 1),
        (16, 24),
        (17, 6),
        (32, 3),
        (39, 1),
    ];
    ways.into_iter()
        .map(|(shared, step)| error(&read(engine, &ids, shared, step), &right))
        .fold(0.0, f32::max)
}

#[test]
fn the_logits_are_those_of_llama_cpp() {
    for name in MODELS {
        let worst = worst(&mut cpu(name, Precision::F32), name);
        assert!(worst < 1e-3, "{name}: {worst}");
    }
}

/// Rounding to 8 bits moves logits by a few hundredths of their spread. (Random weights of this width are a hard case:
/// some attention hangs on near ties.)
#[test]
fn eight_bits_are_near() {
    let square = |x: &[f32]| x.iter().map(|x| x * x).sum::<f32>();
    for name in MODELS {
        let right = reference(name).concat();
        let mut engine = cpu(name, Precision::Int8);
        for (shared, step) in [(0, 40), (0, 1), (17, 6)] {
            let got = read(&mut engine, &ids(), shared, step).concat();
            let off: Vec<f32> = got
                .iter()
                .zip(&right)
                .map(|(got, right)| got - right)
                .collect();
            let share = (square(&off) / square(&right)).sqrt();
            assert!(share < 0.06, "{name}: {share}");
        }
        assert!(engine.bytes() * 3 < cpu(name, Precision::F32).bytes());
    }
}

/// A sequence of the scene below: how much it sees of which of two beginnings, and its tokens by step.
struct Sequence {
    shared: Option<(usize, usize)>,
    steps: [Vec<u32>; 3],
}

fn scene(ids: &[u32]) -> Vec<Sequence> {
    let deal = |shared, from: usize, sizes: [usize; 3]| {
        let mut from = from;
        let steps = sizes.map(|size| {
            from += size;
            ids[from - size..from].to_vec()
        });
        Sequence { shared, steps }
    };
    vec![
        deal(Some((0, 20)), 3, [1, 1, 1]),
        deal(None, 0, [17, 1, 4]),
        deal(Some((1, 9)), 20, [2, 1, 1]),
        deal(Some((0, 20)), 9, [1, 9, 1]),
        deal(Some((0, 7)), 1, [5, 1, 1]),
        deal(Some((1, 33)), 2, [1, 1, 30]),
        deal(Some((0, 1)), 30, [1, 2, 3]),
        deal(None, 11, [1, 1, 1]),
    ]
}

/// Every sequence's logits, for as many of the last tokens as there are of its own number modulo 3, plus one at
/// most; those whose numbers are in one group are read side by side.
fn play<E: Engine>(engine: &mut E, groups: &[Vec<usize>]) -> Vec<Vec<Vec<f32>>> {
    let ids = ids();
    let sequences = scene(&ids);
    let reversed: Vec<u32> = ids.iter().rev().copied().collect();
    let beginnings: Vec<E::Cache> = [&ids, &reversed]
        .into_iter()
        .map(|tokens| {
            let mut cache = engine.cache();
            let none = engine.forward(&mut [Feed {
                vectors: &[],
                tokens,
                shared: None,
                own: &mut cache,
                logits: 0,
            }]);
            assert!(none.is_empty());
            cache
        })
        .collect();
    let mut results = vec![Vec::new(); sequences.len()];
    for group in groups {
        let mut caches: Vec<E::Cache> = group.iter().map(|_| engine.cache()).collect();
        for step in 0..3 {
            let mut counts = Vec::new();
            let mut feeds = Vec::new();
            for (&index, own) in group.iter().zip(&mut caches) {
                let sequence = &sequences[index];
                let tokens = &sequence.steps[step];
                let logits = tokens.len().min(index % 3);
                counts.push((index, logits));
                feeds.push(Feed {
                    vectors: &[],
                    tokens,
                    shared: sequence
                        .shared
                        .map(|(beginning, seen)| (&beginnings[beginning], seen)),
                    own,
                    logits,
                });
            }
            let mut logits = engine.forward(&mut feeds).into_iter();
            for (index, count) in counts {
                results[index].extend(logits.by_ref().take(count));
            }
            assert!(logits.next().is_none());
        }
    }
    results
}

fn groupings() -> [Vec<Vec<usize>>; 4] {
    [
        (0..8).map(|index| vec![index]).collect(),
        vec![(0..8).collect()],
        vec![(0..8).rev().collect()],
        vec![vec![6, 1, 3], vec![0, 7], vec![4, 2, 5]],
    ]
}

#[test]
fn neighbours_and_threads_do_not_show() {
    for (name, precision) in [
        ("llama", Precision::F32),
        ("llama", Precision::Int8),
        ("qwen2", Precision::F32),
        ("qwen2", Precision::Int8),
        ("qwen3", Precision::F32),
        ("qwen3", Precision::Int8),
    ] {
        let mut engine = cpu(name, precision);
        let mut first = None;
        for threads in 1..=3 {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            for groups in groupings() {
                let got = pool.install(|| play(&mut engine, &groups));
                assert_eq!(got[7].len(), 3);
                let bits = |all: &[Vec<Vec<f32>>]| -> Vec<u32> {
                    all.iter()
                        .flatten()
                        .flatten()
                        .map(|x| x.to_bits())
                        .collect()
                };
                let first = first.get_or_insert_with(|| bits(&got));
                assert!(
                    *first == bits(&got),
                    "{name} {precision:?} {threads} {groups:?}"
                );
            }
        }
    }
}

#[test]
fn other_tokens_give_other_logits() {
    let mut engine = cpu("llama", Precision::F32);
    let mut ids = ids();
    let right = read(&mut engine, &ids, 10, 30);
    ids[3] += 1;
    let got = read(&mut engine, &ids, 10, 30);
    assert_eq!(got[..3], right[..3]);
    for (got, right) in got.iter().zip(&right).skip(3) {
        assert!(error(from_ref(got), from_ref(right)) > 1e-2);
    }
}

/// On the first device of the build: `flex`, or a GPU where that is asked for.
#[cfg(feature = "gpu")]
mod gpu {
    use lm::Device;
    use lm::gpu::Decoder;

    use super::*;

    fn device() -> Device {
        Device::built().nth(1).unwrap()
    }

    fn gpu(name: &str) -> Decoder {
        Decoder::load(&Checkpoint::open(&tiny(name)).unwrap(), device()).unwrap()
    }

    #[test]
    fn the_logits_are_those_of_llama_cpp() {
        for name in MODELS {
            let worst = worst(&mut gpu(name), name);
            assert!(worst < 1e-3, "{name}: {worst}");
        }
    }

    #[test]
    fn neighbours_hardly_show() {
        for name in MODELS {
            let right = play(&mut cpu(name, Precision::F32), &groupings()[0]);
            let mut engine = gpu(name);
            for groups in groupings() {
                for (got, right) in play(&mut engine, &groups).iter().zip(&right) {
                    let error = error(got, right);
                    assert!(error < 1e-3, "{name} {groups:?}: {error}");
                }
            }
        }
    }

    /// More tokens than the pool has room for at first, then as many again where the first were.
    #[test]
    fn the_pool_grows_and_is_used_again() {
        let (ids, right) = (ids(), reference("llama"));
        let mut engine = gpu("llama");
        for _ in 0..2 {
            let mut caches: Vec<_> = (0..60).map(|_| engine.cache()).collect();
            for (from, to) in [(0, 25), (25, 40)] {
                let mut feeds: Vec<_> = caches
                    .iter_mut()
                    .map(|own| Feed {
                        vectors: &[],
                        tokens: &ids[from..to],
                        shared: None,
                        own,
                        logits: 1,
                    })
                    .collect();
                for logits in engine.forward(&mut feeds) {
                    assert!(error(&[logits], &right[to - 1..to]) < 1e-3);
                }
            }
        }
    }

    #[test]
    fn devices_that_are_not_there_are_refused() {
        let checkpoint = Checkpoint::open(&tiny("llama")).unwrap();
        let lacking = Device::ALL
            .into_iter()
            .filter(|device| device.check().is_err());
        for (lacking, mend) in lacking
            .map(|lacking| (lacking, "--features"))
            .chain([(Device::Cpu, device().name())])
        {
            let error = Decoder::load(&checkpoint, lacking).err().unwrap();
            assert!(matches!(error, lm::Error::Device { .. }));
            let text = error.to_string();
            assert!(
                text.contains(lacking.name()) && text.contains(mend),
                "{text}"
            );
        }
    }
}
