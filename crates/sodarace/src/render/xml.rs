//! Numbers and texts as they go into SVG.

use std::fmt;

/// A number with at most two decimals and no needless characters.
///
/// What is not finite, or farther than 10 million, becomes the nearest number
/// that every SVG reader takes.
#[derive(Clone, Copy, Debug)]
pub struct Num(pub f64);

impl fmt::Display for Num {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let x = if self.0.is_nan() {
            0.0
        } else {
            self.0.clamp(-1e7, 1e7)
        };
        let hundredths = (x * 100.0).round() as i64;
        let (whole, rest) = (hundredths.abs() / 100, hundredths.abs() % 100);
        if hundredths < 0 {
            f.write_str("-")?;
        }
        if whole > 0 || rest == 0 {
            write!(f, "{whole}")?;
        }
        match rest {
            0 => Ok(()),
            r if r % 10 == 0 => write!(f, ".{}", r / 10),
            r => write!(f, ".{r:02}"),
        }
    }
}

/// Escapes a text for XML and HTML content and for quoted attributes.
///
/// Characters that XML 1.0 does not allow (most control characters) become
/// U+FFFD, so that the picture stays readable whatever the text holds.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\t' | '\n' | '\r' => out.push(c),
            '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        for (x, text) in [
            (0.0, "0"),
            (-0.001, "0"),
            (0.5, ".5"),
            (-0.25, "-.25"),
            (12.0, "12"),
            (-3.109, "-3.11"),
            (7.05, "7.05"),
            (f64::NAN, "0"),
            (f64::INFINITY, "10000000"),
        ] {
            assert_eq!(Num(x).to_string(), text);
        }
    }

    #[test]
    fn texts_are_escaped() {
        assert_eq!(
            escape("</script><svg onload='x'> ]]> & \"\u{1}\""),
            "&lt;/script&gt;&lt;svg onload=&#39;x&#39;&gt; ]]&gt; &amp; &quot;\u{fffd}&quot;"
        );
    }
}
