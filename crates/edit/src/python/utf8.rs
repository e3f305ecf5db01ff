//! UTF-8, byte by byte.

/// What the next byte may be: so many continuation bytes to come, the next of them within bounds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Utf8 {
    left: u8,
    low: u8,
    high: u8,
}

impl Utf8 {
    /// Takes a byte; `false` if no valid text has it here. No control characters but those of white space.
    pub(super) fn push(&mut self, b: u8) -> bool {
        if self.left > 0 {
            let fits = (self.low..=self.high).contains(&b);
            *self = Utf8 {
                left: self.left - 1,
                low: 0x80,
                high: 0xbf,
            };
            return fits;
        }
        let (left, low, high) = match b {
            0 => return false,
            1..0x80 => return true,
            0xc2..=0xdf => (1, 0x80, 0xbf),
            0xe0 => (2, 0xa0, 0xbf),
            0xed => (2, 0x80, 0x9f),
            0xe1..=0xef => (2, 0x80, 0xbf),
            0xf0 => (3, 0x90, 0xbf),
            0xf1..=0xf3 => (3, 0x80, 0xbf),
            0xf4 => (3, 0x80, 0x8f),
            _ => return false,
        };
        *self = Utf8 { left, low, high };
        true
    }
}
