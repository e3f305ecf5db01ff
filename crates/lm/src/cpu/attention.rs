//! Grouped-query attention over a shared beginning and each sequence's own continuation.
//!
//! Rows whose sequences share a beginning are multiplied with its keys together; what they share is read once.

use rayon::prelude::*;

use super::cache::Cache;
use super::columns::Columns;
use super::decoder::Shape;
use super::float::{Rows, TILE, product};
use super::math::softmax;

/// Tokens handled together: enough to fill tiles, few enough to spread over threads.
const CHUNK: usize = 32;

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

/// Attention of one layer. `queries` has a row of `stride` values per token that begins with its heads; the result
/// has a row of all heads per token.
pub fn attend(
    shape: &Shape,
    layer: usize,
    spans: &[Span<'_>],
    queries: &[f32],
    stride: usize,
) -> Vec<f32> {
    let tokens = queries.len() / stride;
    let width = shape.heads * shape.head_dim;
    let mut out = vec![0.0; tokens * width];
    let columns = Columns::new(&mut out, width);
    let chunks = chunks(spans);
    let tasks = chunks.len() * shape.kv_heads;
    (0..tasks).into_par_iter().for_each(|task| {
        let (chunk, head) = (&chunks[task / shape.kv_heads], task % shape.kv_heads);
        one_head(shape, layer, head, chunk, queries, stride, &columns);
    });
    out
}

fn one_head(
    shape: &Shape,
    layer: usize,
    head: usize,
    chunk: &[Piece<'_>],
    queries: &[f32],
    stride: usize,
    out: &Columns<'_>,
) {
    let (dim, group) = (shape.head_dim, shape.heads / shape.kv_heads);
    let tokens: usize = chunk.iter().map(|piece| piece.to - piece.from).sum();
    let rows = tokens * group;
    let mut left = Vec::with_capacity(rows * dim);
    let seen = |piece: &Piece<'_>| piece.span.shared.map_or(0, |(_, seen)| seen);
    let held = |piece: &Piece<'_>| piece.span.own.len() + piece.to;
    let shared = chunk.iter().map(seen).max().unwrap_or(0);
    let own = chunk
        .iter()
        .map(held)
        .max()
        .unwrap_or(0)
        .next_multiple_of(TILE);
    let split = shared.next_multiple_of(TILE);
    let width = split + own;
    for piece in chunk {
        for token in piece.from..piece.to {
            let row = &queries[(piece.span.first + token) * stride..];
            left.extend_from_slice(&row[head * group * dim..][..group * dim]);
        }
    }
    let left_rows = |row: usize| Rows {
        data: &left[row * dim..],
        stride: dim,
    };

    let mut scores = vec![0.0; rows * width];
    let beginning = chunk[0]
        .span
        .shared
        .filter(|_| shared > 0)
        .map(|(cache, _)| cache);
    if let Some(cache) = beginning {
        let (keys, stride) = cache.keys(layer, head);
        let keys = Rows { data: keys, stride };
        product(
            left_rows(0),
            keys,
            &mut scores,
            width,
            (rows, dim, split),
            false,
        );
    }
    let mut row = 0;
    for piece in chunk {
        let count = (piece.to - piece.from) * group;
        let (keys, stride) = piece.span.own.keys(layer, head);
        let keys = Rows { data: keys, stride };
        let n = held(piece).next_multiple_of(TILE);
        product(
            left_rows(row),
            keys,
            &mut scores[row * width + split..],
            width,
            (count, dim, n),
            false,
        );
        for token in piece.from..piece.to {
            let visible = piece.span.own.len() + token + 1;
            for _ in 0..group {
                let scores = &mut scores[row * width..][..width];
                let (first, second) = scores.split_at_mut(split);
                softmax(
                    &mut first[..seen(piece)],
                    &mut second[..visible],
                    shape.scale,
                );
                first[seen(piece)..].fill(0.0);
                second[visible..].fill(0.0);
                row += 1;
            }
        }
    }

    let mut sums = vec![0.0; rows * dim];
    if let Some(cache) = beginning {
        let weights = Rows {
            data: &scores,
            stride: width,
        };
        let values = Rows {
            data: cache.values(layer, head),
            stride: dim,
        };
        product(weights, values, &mut sums, dim, (rows, shared, dim), false);
    }
    let mut row = 0;
    for piece in chunk {
        let count = (piece.to - piece.from) * group;
        let weights = Rows {
            data: &scores[row * width + split..],
            stride: width,
        };
        let values = Rows {
            data: piece.span.own.values(layer, head),
            stride: dim,
        };
        product(
            weights,
            values,
            &mut sums[row * dim..],
            dim,
            (count, held(piece), dim),
            beginning.is_some(),
        );
        row += count;
    }
    let mut sums = sums.chunks_exact(group * dim);
    for piece in chunk {
        for token in piece.from..piece.to {
            let heads = sums.next().expect("a row per token");
            out.put(piece.span.first + token, head * group * dim, heads);
        }
    }
}
