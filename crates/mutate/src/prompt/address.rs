//! Where an endpoint is.

use ureq::http::Uri;

use crate::Error;

/// The endpoint's URL up to and including its version, without a slash at its end.
///
/// # Errors
/// Names what is wrong with it.
pub(super) fn base_url(endpoint: &str) -> Result<String, Error> {
    let wrong = |why: &str| {
        Error::setting(
            "prompt.endpoint",
            why,
            "give its URL, e.g. --endpoint http://localhost:8000/v1",
        )
    };
    let text = endpoint.trim();
    if text.is_empty() {
        return Err(wrong("no endpoint is named"));
    }
    let mut text = text.trim_end_matches('/');
    for tail in ["/chat/completions", "/completions", "/models"] {
        text = text.strip_suffix(tail).unwrap_or(text);
    }
    let uri: Uri = text.parse().map_err(|_| wrong("it is not a URL"))?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return Err(wrong("it starts with neither http:// nor https://"));
    }
    let Some(authority) = uri.authority().filter(|x| !x.host().is_empty()) else {
        return Err(wrong("it names no host"));
    };
    if authority.as_str().contains('@') {
        return Err(Error::setting(
            "prompt.endpoint",
            "it holds a user name or password",
            "leave them out; a key comes from the environment variable that key_env names",
        ));
    }
    if authority.port().is_none() && authority.as_str() != authority.host() {
        return Err(wrong("its port is not a number up to 65535"));
    }
    if uri.query().is_some() || text.contains('#') {
        return Err(wrong("it has a part after ? or #"));
    }
    let bare = matches!(uri.path(), "" | "/");
    let text = text.trim_end_matches('/');
    Ok(if bare {
        format!("{text}/v1")
    } else {
        text.to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_taken_with_and_without_version_and_path() {
        for (given, base) in [
            ("http://localhost:8000", "http://localhost:8000/v1"),
            ("http://localhost:8000/", "http://localhost:8000/v1"),
            ("http://localhost:8000/v1/", "http://localhost:8000/v1"),
            (
                "https://host/api/v1/chat/completions",
                "https://host/api/v1",
            ),
            ("http://[::1]:8000/v1/completions", "http://[::1]:8000/v1"),
        ] {
            assert_eq!(base_url(given).unwrap(), base);
        }
        for bad in [
            "",
            "localhost",
            "ftp://x/v1",
            "http://",
            "http://u:p@h/v1",
            "http://h/v1?k=1",
            "http://h h",
        ] {
            let error = base_url(bad).unwrap_err().to_string();
            assert!(error.starts_with("prompt.endpoint: "), "{error}");
        }
        assert!(
            !base_url("http://u:secret@h/")
                .unwrap_err()
                .to_string()
                .contains("secret")
        );
    }
}
