//! Grouped-query attention over a shared beginning and each sequence's own continuation.
//!
//! Rows whose sequences share a beginning are multiplied with its keys together; what they share is read once.

use rayon::prelude::*;

use super::cache::Cache;
use super::columns::Columns;
use super::float::{PANEL, Rows, product};
use super::math::softmax;
use super::pool::{Pool, room};
use super::shape::Shape;

/// Tokens handled together: enough to fill tiles, few enough to spread over threads.
const CHUNK: usize = 16;

/// Tokens of one sequence, for attention: they lie at `first..` in the batch.
pub struct Span<'a> {
    /// Place of its first token in the batch.
    pub first: usize,
    /// How many tokens.
    pub tokens: usize,
    /// The shared beginning, and how much of it the sequence sees.
    pub shared: Option<(&'a Cache, usize)>,
    /// Its own continuation; the span's tokens are written but not yet counted.
    pub own: &'a Cache,
}

/// A piece of a span: tokens `from..to` of it.
struct Piece<'a> {
    span: &'a Span<'a>,
    from: usize,
    to: usize,
}

/// Cuts spans into pieces and gathers pieces with the same beginning.
fn chunks<'a>(spans: &'a [Span<'a>]) -> Vec<Vec<Piece<'a>>> {
    let mut chunks: Vec<(*const Cache, usize, Vec<Piece<'a>>)> = Vec::new();
    for span in spans {
        let beginning = span
            .shared
            .map_or(std::ptr::null(), |(cache, _)| std::ptr::from_ref(cache));
        let mut from = 0;
        while from < span.tokens {
            let open = chunks
                .iter_mut()
                .find(|(cache, held, _)| *cache == beginning && *held < CHUNK);
            let (_, held, pieces) = match open {
                Some(open) => open,
                None => {
                    chunks.push((beginning, 0, Vec::new()));
                    chunks.last_mut().expect("just pushed")
                }
            };
            let to = span.tokens.min(from + CHUNK - *held);
            *held += to - from;
            pieces.push(Piece { span, from, to });
            from = to;
        }
    }
    chunks.into_iter().map(|(.., pieces)| pieces).collect()
}

/// Attention of one layer. Spans lie one after another in the batch. `queries` has a row of `stride` values per token that begins with its heads; `out` gets a
/// row of all heads per token.
pub fn attend(
    shape: &Shape,
    layer: usize,
    spans: &[Span<'_>],
    queries: Rows<'_>,
    pool: &Pool<Scratch>,
    out: &mut [f32],
) {
    let width = shape.heads * shape.head_dim;
    let after = |pair: &[Span<'_>]| pair[0].first + pair[0].tokens <= pair[1].first;
    assert!(spans.windows(2).all(after), "each token has a span");
    let columns = Columns::new(out.chunks_exact_mut(width), width);
    let chunks = chunks(spans);
    let tasks = chunks.len() * shape.kv_heads;
    (0..tasks).into_par_iter().for_each(|task| {
        let head = Head {
            shape,
            layer,
            head: task % shape.kv_heads,
            chunk: &chunks[task / shape.kv_heads],
        };
        pool.with(|scratch| head.attend(queries, scratch, &columns));
    });
}

/// Memory of a task.
#[derive(Default)]
pub struct Scratch {
    left: Vec<f32>,
    scores: Vec<f32>,
    sums: Vec<f32>,
}

/// The queries of some tokens that share a key-value head.
struct Head<'a> {
    shape: &'a Shape,
    layer: usize,
    head: usize,
    chunk: &'a [Piece<'a>],
}

impl Head<'_> {
    fn attend(&self, queries: Rows<'_>, scratch: &mut Scratch, out: &Columns<'_>) {
        let Self {
            shape,
            layer,
            head,
            chunk,
        } = *self;
        let (dim, group) = (shape.head_dim, shape.heads / shape.kv_heads);
        let tokens: usize = chunk.iter().map(|piece| piece.to - piece.from).sum();
        let rows = tokens * group;
        let seen = |piece: &Piece<'_>| piece.span.shared.map_or(0, |(_, seen)| seen);
        let held = |piece: &Piece<'_>| piece.span.own.len() + piece.to;
        let shared = chunk.iter().map(seen).max().unwrap_or(0);
        let split = shared.next_multiple_of(PANEL);
        let own = chunk.iter().map(held).max().unwrap_or(0);
        let width = split + own.next_multiple_of(PANEL);
        let beginning = chunk[0].span.shared.filter(|_| shared > 0);
        let beginning = beginning.map(|(cache, _)| cache);

        let left = &mut scratch.left;
        left.clear();
        for piece in chunk {
            for token in piece.from..piece.to {
                let row = &queries.data[(piece.span.first + token) * queries.stride..];
                left.extend_from_slice(&row[head * group * dim..][..group * dim]);
            }
        }
        let left = |row: usize| Rows {
            data: &left[row * dim..],
            stride: dim,
        };

        let scores = room(&mut scratch.scores, rows * width);
        if let Some(cache) = beginning {
            let size = (rows, dim, split / PANEL);
            product(left(0), cache.keys(layer, head), scores, width, size, false);
        }
        let mut row = 0;
        for piece in chunk {
            let keys = piece.span.own.keys(layer, head);
            let count = (piece.to - piece.from) * group;
            let size = (count, dim, held(piece).div_ceil(PANEL));
            let scores = &mut scores[row * width..][..count * width];
            product(left(row), keys, &mut scores[split..], width, size, false);
            for (index, scores) in scores.chunks_exact_mut(width).enumerate() {
                let visible = piece.span.own.len() + piece.from + index / group + 1;
                let (first, second) = scores.split_at_mut(split);
                softmax(
                    &mut first[..seen(piece)],
                    &mut second[..visible],
                    shape.scale,
                );
                // Other rows of the chunk or piece may see these.
                first[seen(piece)..shared].fill(0.0);
                second[visible..held(piece)].fill(0.0);
            }
            row += count;
        }

        let weights = |row: usize, column: usize| Rows {
            data: &scores[row * width + column..],
            stride: width,
        };
        let sums = room(&mut scratch.sums, rows * dim);
        if let Some(cache) = beginning {
            let size = (rows, shared, dim / PANEL);
            product(
                weights(0, 0),
                cache.values(layer, head),
                sums,
                dim,
                size,
                false,
            );
        }
        let mut row = 0;
        for piece in chunk {
            let count = (piece.to - piece.from) * group;
            let size = (count, held(piece), dim / PANEL);
            let values = piece.span.own.values(layer, head);
            let sums = &mut sums[row * dim..];
            let add = beginning.is_some();
            product(weights(row, split), values, sums, dim, size, add);
            row += count;
        }
        let mut sums = sums.chunks_exact(group * dim);
        for piece in chunk {
            for token in piece.from..piece.to {
                let heads = sums.next().expect("a row per token");
                // SAFETY: a token is in one piece of one span, and this task alone has this head of it.
                unsafe { out.put(piece.span.first + token, head * group * dim, heads) };
            }
        }
    }
}
