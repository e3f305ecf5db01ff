//! What all of us who speak HTTP have in common: the certificates that this machine trusts, whether a secret may be sent,
//! and how long a server asks to wait.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ureq::http::HeaderMap;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

/// The longest wait that a server can ask for; more is taken to be this.
const LONGEST: f64 = 366.0 * 86_400.0;

/// The root certificates that this machine trusts; none where it has none.
pub fn roots() -> Vec<Certificate<'static>> {
    let found = rustls_native_certs::load_native_certs().certs;
    let owned = |der| Certificate::from_der(der).to_owned();
    found.iter().map(|der| owned(der)).collect()
}

/// TLS that trusts these certificates. Without any, a connection over TLS fails and says so.
pub fn tls(roots: &[Certificate<'static>]) -> TlsConfig {
    TlsConfig::builder()
        .root_certs(RootCerts::new_with_certs(roots))
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build()
}

/// Whether a host is this machine.
pub fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|ip| ip.is_loopback())
}

/// The wait that a server asks for: `retry-after-ms`, `Retry-After` (seconds, also with a fraction, or a date; one that is
/// past asks for none), and of an answer with status 429 (`limited`) also what the usual headers say of the limit's end
/// (`x-ratelimit-reset`, `ratelimit-reset`, `ratelimit: ...;t=`, `x-ratelimit-reset-requests` and `-tokens` where none
/// are left). `None` where it says nothing that can be read.
pub fn retry_after(headers: &HeaderMap, limited: bool, now: SystemTime) -> Option<Duration> {
    let text = |name: &str| Some(headers.get(name)?.to_str().ok()?.trim());
    let number = |name: &str| text(name)?.parse::<f64>().ok();
    let asked = number("retry-after-ms")
        .map(|ms| seconds(ms / 1e3))
        .or_else(|| number("retry-after").map(seconds))
        .or_else(|| {
            let date = httpdate::parse_http_date(text("retry-after")?).ok()?;
            let wait = date.duration_since(now).unwrap_or_default();
            Some(seconds(wait.as_secs_f64()))
        });
    if asked.is_some() || !limited {
        return asked;
    }
    let since = now
        .duration_since(SystemTime::UNIX_EPOCH)
        .ok()?
        .as_secs_f64();
    // A time of day as seconds or milliseconds since 1970, or seconds from now.
    let reset = |at: f64| match at {
        at if at > 1e11 => seconds(at / 1e3 - since),
        at if at > 1e9 => seconds(at - since),
        at => seconds(at),
    };
    let ended = |what: &str| {
        let left = number(&format!("x-ratelimit-remaining-{what}"))?;
        let reset = text(&format!("x-ratelimit-reset-{what}"))?;
        (left < 1.0).then(|| span(reset)).flatten()
    };
    let policy = text("ratelimit").and_then(|x| {
        let t = x
            .split(';')
            .find_map(|part| part.trim().strip_prefix("t="))?;
        t.trim().parse().ok()
    });
    number("x-ratelimit-reset-after")
        .map(seconds)
        .or_else(|| ended("requests").max(ended("tokens")))
        .or_else(|| number("x-ratelimit-reset").map(reset))
        .or_else(|| number("ratelimit-reset").map(reset))
        .or_else(|| policy.map(seconds))
}

/// A count of seconds from anybody.
fn seconds(count: f64) -> Duration {
    match count.is_nan() {
        true => Duration::ZERO,
        false => Duration::from_secs_f64(count.clamp(0.0, LONGEST)),
    }
}

/// A span such as `1m30.5s`, `200ms` or `7`.
fn span(text: &str) -> Option<Duration> {
    let (mut rest, mut sum) = (text, 0.0);
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(rest.len());
        let (number, after) = rest.split_at(digits);
        let letters = after
            .find(|c: char| !c.is_alphabetic())
            .unwrap_or(after.len());
        let (unit, after) = after.split_at(letters);
        sum += number.parse::<f64>().ok()?
            * match unit {
                "d" => 86_400.0,
                "h" => 3600.0,
                "m" => 60.0,
                "s" | "" => 1.0,
                "ms" => 1e-3,
                _ => return None,
            };
        rest = after;
    }
    Some(seconds(sum))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_read_as_servers_write_them() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_445_412_480);
        let asked = |lines: &[(&'static str, &str)], limited| {
            let mut headers = HeaderMap::new();
            for (name, value) in lines {
                headers.insert(*name, value.parse().unwrap());
            }
            retry_after(&headers, limited, now).map(|wait| wait.as_secs_f64())
        };
        for (value, wait) in [
            ("26", Some(26.0)),
            (" 1.5 ", Some(1.5)),
            ("0", Some(0.0)),
            ("-3", Some(0.0)),
            // The same second in the three forms of RFC 9110, 26 s on; a year before.
            ("Wed, 21 Oct 2015 07:28:26 GMT", Some(26.0)),
            ("Wednesday, 21-Oct-15 07:28:26 GMT", Some(26.0)),
            ("Wed Oct 21 07:28:26 2015", Some(26.0)),
            ("Tue, 21 Oct 2014 07:28:26 GMT", Some(0.0)),
            ("Fri, 31 Dec 9999 23:59:59 GMT", Some(LONGEST)),
            ("1e300", Some(LONGEST)),
            ("inf", Some(LONGEST)),
            ("NaN", Some(0.0)),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(asked(&[("retry-after", value)], false), wait, "{value}");
        }
        assert_eq!(
            asked(&[("retry-after-ms", "1500"), ("retry-after", "2")], false),
            Some(1.5)
        );
        for (lines, wait) in [
            (&[("x-ratelimit-reset", "12")][..], Some(12.0)),
            (&[("x-ratelimit-reset", "1445412490")], Some(10.0)),
            (&[("x-ratelimit-reset", "1445412490500")], Some(10.5)),
            (&[("ratelimit-reset", "3")], Some(3.0)),
            (&[("ratelimit", "\"api\";r=0;t=55")], Some(55.0)),
            (
                &[
                    ("x-ratelimit-remaining-requests", "0"),
                    ("x-ratelimit-reset-requests", "1m0.5s"),
                ],
                Some(60.5),
            ),
            (
                &[
                    ("x-ratelimit-remaining-tokens", "0"),
                    ("x-ratelimit-reset-tokens", "20ms"),
                ],
                Some(0.02),
            ),
            (
                &[
                    ("x-ratelimit-remaining-tokens", "7"),
                    ("x-ratelimit-reset-tokens", "20h"),
                ],
                None,
            ),
            (
                &[("retry-after", "1"), ("x-ratelimit-reset", "12")],
                Some(1.0),
            ),
        ] {
            assert_eq!(asked(lines, true), wait, "{lines:?}");
        }
        assert_eq!(asked(&[("x-ratelimit-reset", "12")], false), None);
    }

    #[test]
    fn only_this_machine_is_loopback() {
        for host in ["localhost", "LOCALHOST", "127.0.0.1", "[::1]"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["localhost.example", "10.0.0.1", "127.0.0.1.example", ""] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
