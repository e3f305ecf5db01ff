//! Changes that are much the same: MinHash with locality-sensitive bands (Broder 1997).

use std::collections::HashSet;

use edit::hash;

/// Bands, and hashes in each: two changes with a share s of pieces in common meet with probability 1 - (1 - s^ROWS)^BANDS, an even chance
/// at 0.74.
const BANDS: usize = 8;
const ROWS: usize = 8;

/// The changes that came: eight numbers each.
#[derive(Default)]
pub struct Near {
    bands: [HashSet<u64>; BANDS],
}

impl Near {
    /// Whether nothing much like it came before; it counts from now on.
    pub fn is_new(&mut self, signature: &[u64; BANDS]) -> bool {
        let mut is_new = true;
        for (band, hash) in self.bands.iter_mut().zip(signature) {
            is_new &= band.insert(*hash);
        }
        is_new
    }
}

/// The signature of a change: of all pairs of neighbouring words of its lines.
pub fn signature<'a>(lines: impl Iterator<Item = (char, &'a str)>) -> [u64; BANDS] {
    let mut least = [u64::MAX; BANDS * ROWS];
    let mut count = |piece: u64| {
        for (i, least) in least.iter_mut().enumerate() {
            // A different order of all numbers for each.
            let order = (i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            *least = (*least).min(hash::mix(piece ^ order));
        }
    };
    for (sign, line) in lines {
        let mut last = "";
        for word in words(line) {
            count(hash::of([&*sign.to_string(), last, word]));
            last = word;
        }
    }
    std::array::from_fn(|band| {
        least[band * ROWS..][..ROWS]
            .iter()
            .fold(0, |all, one| hash::both(all, *one))
    })
}

/// Names, numbers and single marks.
fn words(line: &str) -> impl Iterator<Item = &str> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut rest = line;
    std::iter::from_fn(move || {
        rest = rest.trim_start();
        let first = rest.chars().next()?;
        let end = match is_word(first) {
            true => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
            false => first.len_utf8(),
        };
        let (word, after) = rest.split_at(end);
        rest = after;
        Some(word)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_change_elsewhere_is_no_news() {
        let mut near = Near::default();
        let change = |name: &str| {
            let lines = [
                (
                    '-',
                    format!("    if {name} == None and not self.lines[index + 1].strip():"),
                ),
                (
                    '+',
                    format!("    if {name} is None and not self.lines[index + 1].strip():"),
                ),
            ];
            signature(lines.iter().map(|(sign, line)| (*sign, line.as_str())))
        };
        assert!(near.is_new(&change("x")));
        assert!(!near.is_new(&change("x")));
        let other = signature([('+', "return a * b")].into_iter());
        assert!(near.is_new(&other));
        assert_eq!(
            words("a_1 = f(2.5)").collect::<Vec<_>>(),
            ["a_1", "=", "f", "(", "2", ".", "5", ")"]
        );
    }
}
