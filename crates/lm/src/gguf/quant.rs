//! The kinds of tensors in a GGUF file, and their values as f32.
//!
//! Blocks of 32 or 256 values share scales; the layouts are those of ggml's `ggml-common.h`. Products are taken in
//! ggml's order, so that values are equal to its own to the last bit.

use half::{bf16, f16};

/// How a tensor's values are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(
    non_camel_case_types,
    reason = "the names the format's own documents use"
)]
pub(crate) enum Kind {
    F32,
    F16,
    BF16,
    Q4_0,
    Q4_1,
    Q5_0,
    Q5_1,
    Q8_0,
    Q2_K,
    Q3_K,
    Q4_K,
    Q5_K,
    Q6_K,
    IQ4_NL,
    IQ4_XS,
}

/// Kind, its number in files, values in a block, bytes of a block.
const KINDS: [(Kind, u32, usize, usize); 15] = [
    (Kind::F32, 0, 1, 4),
    (Kind::F16, 1, 1, 2),
    (Kind::Q4_0, 2, 32, 18),
    (Kind::Q4_1, 3, 32, 20),
    (Kind::Q5_0, 6, 32, 22),
    (Kind::Q5_1, 7, 32, 24),
    (Kind::Q8_0, 8, 32, 34),
    (Kind::Q2_K, 10, 256, 84),
    (Kind::Q3_K, 11, 256, 110),
    (Kind::Q4_K, 12, 256, 144),
    (Kind::Q5_K, 13, 256, 176),
    (Kind::Q6_K, 14, 256, 210),
    (Kind::IQ4_NL, 20, 32, 18),
    (Kind::IQ4_XS, 23, 256, 136),
    (Kind::BF16, 30, 1, 2),
];

/// What four bits stand for in the IQ4 kinds: finer steps around zero, where most weights are.
const UNEVEN: [f32; 16] = [
    -127.0, -104.0, -83.0, -65.0, -49.0, -35.0, -22.0, -10.0, 1.0, 13.0, 25.0, 38.0, 53.0, 69.0,
    89.0, 113.0,
];

impl Kind {
    /// The kind that files write as a number.
    pub(crate) fn of(number: u32) -> Option<Self> {
        KINDS.iter().find(|k| k.1 == number).map(|k| k.0)
    }

    /// The number that files write.
    pub(crate) fn number(self) -> u32 {
        KINDS.iter().find(|k| k.0 == self).map_or(0, |k| k.1)
    }

    /// The name of a kind that is not known here but by its name.
    pub(crate) fn foreign(number: u32) -> Option<&'static str> {
        Some(match number {
            16 => "IQ2_XXS",
            17 => "IQ2_XS",
            18 => "IQ3_XXS",
            19 => "IQ1_S",
            21 => "IQ3_S",
            22 => "IQ2_S",
            29 => "IQ1_M",
            34 => "TQ1_0",
            35 => "TQ2_0",
            39 => "MXFP4",
            _ => return None,
        })
    }

    /// Names of all kinds.
    pub(crate) fn names() -> String {
        KINDS.map(|k| format!("{:?}", k.0)).join(", ")
    }

    /// Values in a block and bytes of a block.
    pub(crate) fn block(self) -> (usize, usize) {
        KINDS
            .iter()
            .find(|k| k.0 == self)
            .map_or((1, 4), |k| (k.2, k.3))
    }

    /// The values of whole blocks.
    pub(crate) fn dequantise(self, bytes: &[u8]) -> Vec<f32> {
        let (values, size) = self.block();
        let mut out = vec![0.0; bytes.len() / size * values];
        for (y, x) in out.chunks_exact_mut(values).zip(bytes.chunks_exact(size)) {
            match self {
                Self::F32 => y[0] = f32::from_le_bytes([x[0], x[1], x[2], x[3]]),
                Self::F16 => y[0] = half(x),
                Self::BF16 => y[0] = bf16::from_le_bytes([x[0], x[1]]).to_f32(),
                Self::Q4_0 => four(y, &x[2..], &[0; 4], |q| (q - 8.0) * half(x)),
                Self::Q4_1 => four(y, &x[4..], &[0; 4], |q| q * half(x) + half(&x[2..])),
                Self::Q5_0 => four(y, &x[6..], &x[2..6], |q| (q - 16.0) * half(x)),
                Self::Q5_1 => four(y, &x[8..], &x[4..8], |q| q * half(x) + half(&x[2..])),
                Self::Q8_0 => {
                    for (y, &q) in y.iter_mut().zip(&x[2..]) {
                        *y = half(x) * f32::from(q as i8);
                    }
                }
                Self::Q2_K => two(y, x),
                Self::Q3_K => three(y, x),
                Self::Q4_K => super_block(y, x, &[0; 32], &x[16..]),
                Self::Q5_K => super_block(y, x, &x[16..48], &x[48..]),
                Self::Q6_K => six(y, x),
                Self::IQ4_NL => four(y, &x[2..], &[0; 4], |q| half(x) * UNEVEN[q as usize]),
                Self::IQ4_XS => uneven_block(y, x),
            }
        }
        out
    }
}

fn half(bytes: &[u8]) -> f32 {
    f16::from_le_bytes([bytes[0], bytes[1]]).to_f32()
}

/// 32 values of four bits, the low halves first, each with a fifth bit in `high`.
fn four(y: &mut [f32], low: &[u8], high: &[u8], value: impl Fn(f32) -> f32) {
    let high = u32::from_le_bytes([high[0], high[1], high[2], high[3]]);
    let (first, second) = y.split_at_mut(16);
    for i in 0..16 {
        let fifth = |at: usize| ((high >> at) & 1) << 4;
        first[i] = value((u32::from(low[i] & 15) | fifth(i)) as f32);
        second[i] = value((u32::from(low[i] >> 4) | fifth(i + 16)) as f32);
    }
}

/// Of 256 values, the two bits of one: quarters of each half lie over one another.
fn pair(bytes: &[u8], i: usize) -> u8 {
    (bytes[32 * (i / 128) + i % 32] >> (2 * (i / 32 % 4))) & 3
}

/// 256 values of two bits in sixteen groups with a four-bit scale and minimum each.
fn two(y: &mut [f32], x: &[u8]) {
    let (scales, low, d, dmin) = (&x[..16], &x[16..80], half(&x[80..]), half(&x[82..]));
    for (i, y) in y.iter_mut().enumerate() {
        let scale = scales[i / 16];
        let (d, m) = (d * f32::from(scale & 15), dmin * f32::from(scale >> 4));
        *y = d * f32::from(pair(low, i)) - m;
    }
}

/// 256 values of three bits in sixteen groups with a six-bit scale each.
fn three(y: &mut [f32], x: &[u8]) {
    let (high, low, scales, d) = (&x[..32], &x[32..96], &x[96..108], half(&x[108..]));
    for (i, y) in y.iter_mut().enumerate() {
        let g = i / 16;
        let scale = (scales[g % 8] >> (4 * (g / 8))) & 15;
        let top = (scales[8 + g % 4] >> (2 * (g / 4))) & 3;
        let third = (high[i % 32] >> (i / 32)) & 1;
        let q = f32::from(pair(low, i) | (third << 2)) - 4.0;
        *y = d * (f32::from(scale | (top << 4)) - 32.0) * q;
    }
}

/// 256 values of four bits in eight groups with a six-bit scale each.
fn uneven_block(y: &mut [f32], x: &[u8]) {
    let (d, high, low) = (half(x), u16::from_le_bytes([x[2], x[3]]), &x[4..8]);
    for (g, y) in y.chunks_exact_mut(32).enumerate() {
        let scale = (low[g / 2] >> (4 * (g % 2))) & 15;
        let top = ((high >> (2 * g)) & 3) as u8;
        let d = d * (f32::from(scale | (top << 4)) - 32.0);
        four(y, &x[8 + 16 * g..], &[0; 4], |q| d * UNEVEN[q as usize]);
    }
}

/// 256 values in eight groups with a six-bit scale and minimum each; `high` holds each value's fifth bit.
fn super_block(y: &mut [f32], x: &[u8], high: &[u8], low: &[u8]) {
    let (d, dmin, s) = (half(x), half(&x[2..]), &x[4..16]);
    for (g, y) in y.chunks_exact_mut(32).enumerate() {
        let (scale, min) = if g < 4 {
            (s[g] & 63, s[g + 4] & 63)
        } else {
            (
                (s[g + 4] & 15) | ((s[g - 4] >> 6) << 4),
                (s[g + 4] >> 4) | ((s[g] >> 6) << 4),
            )
        };
        let (d, m) = (d * f32::from(scale), dmin * f32::from(min));
        for (i, y) in y.iter_mut().enumerate() {
            let q = (low[g / 2 * 32 + i] >> (4 * (g % 2))) & 15;
            let fifth = ((high[i] >> g) & 1) << 4;
            *y = d * f32::from(q | fifth) - m;
        }
    }
}

/// 256 values of six bits in sixteen groups with an eight-bit scale each.
fn six(y: &mut [f32], x: &[u8]) {
    let (low, high, scales, d) = (&x[..128], &x[128..192], &x[192..208], half(&x[208..]));
    for (i, y) in y.iter_mut().enumerate() {
        let (part, quarter, l) = (i / 128, i / 32 % 4, i % 32);
        let q = (low[64 * part + 32 * (quarter % 2) + l] >> (4 * (quarter / 2))) & 15;
        let top = (high[32 * part + l] >> (2 * quarter)) & 3;
        *y = d * f32::from(scales[i / 16] as i8) * (f32::from(q | (top << 4)) - 32.0);
    }
}
