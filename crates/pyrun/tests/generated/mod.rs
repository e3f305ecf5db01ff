//! Programs made by chance whose answers are compared between the tiers: what the first one answers, CPython answers too.

use std::collections::HashMap;

use pyrun::{Failure, Value};

/// A stream of numbers by chance (xorshift64*), the same for the same seed.
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Chance {
        Chance(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn below(&mut self, n: u32) -> u32 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let high = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        (high % u64::from(n)) as u32
    }
}

/// The productions of `grammar.txt`.
pub struct Grammar {
    kinds: HashMap<&'static str, Vec<Production>>,
}

struct Production {
    weight: u32,
    /// What mostly fails, or what the first tier is known to hand over.
    wild: bool,
    text: &'static str,
}

/// What holds for one program.
struct Style {
    wild: bool,
    /// How deep productions may nest.
    depth: u32,
}

impl Grammar {
    pub fn new() -> Grammar {
        let mut kinds: HashMap<_, Vec<_>> = HashMap::new();
        for line in include_str!("grammar.txt").lines() {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let mut parts = line.splitn(3, ' ');
            let kind = parts.next().unwrap();
            let weight = parts.next().unwrap();
            kinds.entry(kind).or_default().push(Production {
                weight: weight.trim_end_matches('!').parse().unwrap(),
                wild: weight.ends_with('!'),
                text: parts.next().unwrap_or(""),
            });
        }
        Grammar { kinds }
    }

    /// One program.
    pub fn program(&self, chance: &mut Chance) -> String {
        let mut out = String::new();
        let style = Style {
            wild: chance.below(4) == 0,
            depth: 3 + chance.below(4),
        };
        self.write("program", 0, 0, &style, chance, &mut out);
        out
    }

    fn write(
        &self,
        kind: &str,
        depth: u32,
        indent: usize,
        style: &Style,
        chance: &mut Chance,
        out: &mut String,
    ) {
        if kind == "block" {
            for _ in 0..=chance.below(2) {
                self.write("stmt", depth + 1, indent + 1, style, chance, out);
            }
            return;
        }
        let productions = self
            .kinds
            .get(kind)
            .unwrap_or_else(|| panic!("no kind {kind}"));
        let weight = |p: &Production| if p.wild && !style.wild { 0 } else { p.weight };
        let all: u32 = productions.iter().map(weight).sum();
        let text = if all == 0 || (depth >= style.depth && productions[0].weight == 0) {
            productions[0].text
        } else {
            let mut at = chance.below(all);
            let drawn = productions.iter().find(|p| {
                let here = at < weight(p);
                at = at.saturating_sub(weight(p));
                here
            });
            drawn.expect("a number below the sum").text
        };
        let mut rest = text;
        let mut fresh = true;
        while let Some(c) = rest.chars().next() {
            if let Some(after) = rest.strip_prefix("\\n") {
                out.push('\n');
                fresh = true;
                rest = after;
            } else if let Some(after) = rest.strip_prefix("\\t") {
                if fresh {
                    out.push_str(&"    ".repeat(indent));
                    fresh = false;
                }
                out.push_str("    ");
                rest = after;
            } else if let Some((kind, after)) = rest
                .strip_prefix('<')
                .and_then(|r| r.split_once('>'))
                .filter(|(kind, _)| {
                    !kind.is_empty() && kind.chars().all(|c| c.is_ascii_lowercase() || c == '2')
                })
            {
                fresh = false;
                // what is written inside an expression stands in brackets where it might bind otherwise
                self.write(kind, depth + 1, indent, style, chance, out);
                fresh |= out.ends_with('\n');
                rest = after;
            } else {
                fresh = false;
                out.push(c);
                rest = &rest[c.len_utf8()..];
            }
        }
    }
}

/// Whether two results are one answer: the same value to the bit, or failures of one kind. A limit that was reached says
/// nothing.
pub fn agree(first: &Result<Value, Failure>, second: &Result<Value, Failure>) -> bool {
    match (first, second) {
        (Ok(a), Ok(b)) => same(a, b),
        (Err(Failure::Time | Failure::Memory), _) => true,
        (_, Err(Failure::Time | Failure::Memory)) => true,
        (Err(Failure::Exception { kind: a, .. }), Err(Failure::Exception { kind: b, .. })) => {
            a == b
        }
        (Err(a), Err(b)) => a.reason() == b.reason(),
        _ => false,
    }
}

fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Float(a), Value::Float(b)) => a.to_bits() == b.to_bits(),
        (Value::List(a), Value::List(b)) | (Value::Tuple(a), Value::Tuple(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Value::Dict(a), Value::Dict(b)) => {
            let pair =
                |(a, b): (&(Value, Value), &(Value, Value))| same(&a.0, &b.0) && same(&a.1, &b.1);
            a.len() == b.len() && a.iter().zip(b).all(pair)
        }
        _ => a == b,
    }
}
