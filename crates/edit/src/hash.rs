//! A hash that is the same everywhere and always.

/// A hash of texts in their order (FNV-1a of their bytes and lengths, then mixed as in splitmix64).
pub fn of<'a>(texts: impl IntoIterator<Item = &'a str>) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut take = |bytes: &[u8]| {
        for byte in bytes {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
        }
    };
    for text in texts {
        take(text.as_bytes());
        take(&(text.len() as u64).to_le_bytes());
    }
    mix(hash)
}

/// One number of two.
pub fn both(a: u64, b: u64) -> u64 {
    mix(a.wrapping_add(0x9e37_79b9_7f4a_7c15) ^ mix(b))
}

/// The bits of a number, mixed as in splitmix64.
pub fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
