//! Numbers, digit by digit.

/// How far a number has been read. `…Gap`: an underscore was read, a digit must follow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Number {
    /// `0`; its repetitions; the same with other digits behind, which only a float may have.
    Zero,
    Zeros,
    ZeroGap,
    ZeroDigits,
    ZeroDigitsGap,
    Decimal,
    DecimalGap,
    /// `0x`, `0o` or `0b` with its base; a digit of it.
    Base(u8),
    BaseDigit(u8),
    BaseGap(u8),
    /// The point, which digits may follow.
    Point,
    Fraction,
    FractionGap,
    /// `e`; its sign; its digits.
    Exponent,
    ExponentSign,
    ExponentDigit,
    ExponentGap,
    /// `j`: the end.
    Imaginary,
}

impl Number {
    /// A number's first byte, or the digit after its point.
    pub(super) fn start(byte: u8) -> Self {
        if byte == b'0' {
            Number::Zero
        } else {
            Number::Decimal
        }
    }

    /// The number with one more byte; `None` if the byte does not belong to it.
    pub(super) fn next(self, b: u8) -> Option<Self> {
        use Number::*;
        let digit = b.is_ascii_digit();
        let next = match self {
            Zero | Zeros | ZeroGap if b == b'0' => Zeros,
            Zero | Zeros | ZeroGap | ZeroDigits | ZeroDigitsGap if digit => ZeroDigits,
            Zero if matches!(b, b'x' | b'X') => Base(16),
            Zero if matches!(b, b'o' | b'O') => Base(8),
            Zero if matches!(b, b'b' | b'B') => Base(2),
            Zero | Zeros if b == b'_' => ZeroGap,
            ZeroDigits if b == b'_' => ZeroDigitsGap,
            Decimal | DecimalGap if digit => Decimal,
            Decimal if b == b'_' => DecimalGap,
            Base(n) | BaseDigit(n) | BaseGap(n) if (b as char).is_digit(u32::from(n)) => {
                BaseDigit(n)
            }
            Base(n) | BaseDigit(n) if b == b'_' => BaseGap(n),
            Point | Fraction | FractionGap if digit => Fraction,
            Fraction if b == b'_' => FractionGap,
            Exponent if matches!(b, b'+' | b'-') => ExponentSign,
            Exponent | ExponentSign | ExponentDigit | ExponentGap if digit => ExponentDigit,
            ExponentDigit if b == b'_' => ExponentGap,
            Zero | Zeros | ZeroDigits | Decimal if b == b'.' => Point,
            Zero | Zeros | ZeroDigits | Decimal | Point | Fraction if matches!(b, b'e' | b'E') => {
                Exponent
            }
            Zero | Zeros | ZeroDigits | Decimal | Point | Fraction | ExponentDigit
                if matches!(b, b'j' | b'J') =>
            {
                Imaginary
            }
            _ => return None,
        };
        Some(next)
    }

    /// Whether it may end here.
    pub(super) fn may_end(self) -> bool {
        use Number::*;
        matches!(
            self,
            Zero | Zeros | Decimal | BaseDigit(_) | Point | Fraction | ExponentDigit | Imaginary
        )
    }
}
