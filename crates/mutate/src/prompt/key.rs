//! The endpoint's key: read from the environment, shown to the endpoint, and to nobody else.

use std::fmt;

use crate::Error;

/// Shorter keys ("none", "x") are no secret, and blanking them would spoil texts that happen to contain them.
const SECRET: usize = 8;

/// A key whose `Debug` does not show it; it has no `Display` and cannot be serialised.
#[derive(Clone)]
pub(super) struct Key(String);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(...)")
    }
}

impl Key {
    /// The key in the environment variable `name`; none where that is empty, unset or blank.
    ///
    /// # Errors
    /// Something that cannot stand in a header.
    pub fn from_env(name: &str) -> Result<Option<Self>, Error> {
        if name.is_empty() {
            return Ok(None);
        }
        let is_name = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        if !name.bytes().all(is_name) {
            return Err(Error::setting(
                "prompt.key_env",
                "is not the name of an environment variable",
                "give a name such as OPENAI_API_KEY; the key itself never stands in a file",
            ));
        }
        let Some(value) = std::env::var_os(name) else {
            return Ok(None);
        };
        Self::new(value.to_str().unwrap_or("\u{fffd}")).map_err(|why| {
            Error::setting(
                "prompt.key_env",
                format!("the value of ${name} {why}"),
                "set it to the key alone",
            )
        })
    }

    fn new(value: &str) -> Result<Option<Self>, &'static str> {
        let value = value.trim();
        if value.is_empty() {
            Ok(None)
        } else if !value.bytes().all(|b| b.is_ascii_graphic()) {
            Err("holds blanks or characters that no key has")
        } else if value.len() > 4096 {
            Err("is longer than 4096 characters")
        } else {
            Ok(Some(Self(value.to_owned())))
        }
    }

    /// The header that shows it to the endpoint.
    pub fn header(&self) -> String {
        format!("Bearer {}", self.0)
    }

    /// Blanks the key in a text that a server wrote.
    pub fn blank(&self, text: String) -> String {
        if self.0.len() >= SECRET && text.contains(&self.0) {
            text.replace(&self.0, "[key]")
        } else {
            text
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_keys_are_refused_without_being_shown() {
        for bad in ["se\ncret-key", "secret key", "schlüssel"] {
            let why = Key::new(bad).unwrap_err();
            assert!(!why.contains("key-") && !why.contains(bad), "{why}");
        }
        assert!(Key::new(" \n").unwrap().is_none());
        let key = Key::new("sk-secret-123\n").unwrap().unwrap();
        assert_eq!(format!("{key:?}"), "Key(...)");
        assert_eq!(key.header(), "Bearer sk-secret-123");
        assert_eq!(key.blank("bad sk-secret-123!".into()), "bad [key]!");
        let short = Key::new("x").unwrap().unwrap();
        assert_eq!(short.blank("x = 1".into()), "x = 1");
    }
}
