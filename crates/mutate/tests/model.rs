//! Operators with a language model of our own, whose files are not what they should be.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use lm::Checkpoint;
use mutate::{Error, Operators, Proposal, Request, commented, gather};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use toml::{Table, Value};

/// The tiny model, its weights changed, in a folder of that name.
fn changed(name: &str, change: impl Fn(&str, &mut Vec<f32>)) -> PathBuf {
    let tiny = Path::new(env!("CARGO_MANIFEST_DIR")).join("../lm/tests/tiny/llama");
    let model = Checkpoint::open(&tiny).unwrap();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let tensors = model.config.tensors().into_iter().map(|(name, shape)| {
        let mut data = model.tensor(&name).unwrap().data;
        change(&name, &mut data);
        (name, shape, data)
    });
    lm::save(&folder, &model.config, &model.tokenizer, tensors).unwrap();
    folder
}

/// What an operator makes of a program with a model.
fn children(operator: &str, model: &Path) -> Result<Vec<Vec<Option<Proposal>>>, Error> {
    let mut settings: Table = toml::from_str(&commented()).unwrap();
    let brief = toml::toml! {
        file_name = "f.py"
        entry = "f"
        signatures = []
        host = ""
        names = []
        messages = [{ message = "Changed f.", weight = 1.0 }]
    };
    settings.insert("brief".to_owned(), Value::Table(brief));
    let mut only = Table::new();
    only.insert(operator.to_owned(), Value::Float(1.0));
    settings.insert("operators".to_owned(), Value::Table(only));
    let path = Value::String(model.display().to_string());
    settings["model"]["path"] = path;
    settings[operator]["max_tokens"] = Value::Integer(150);
    let (mut active, _) = Operators::read(&settings)?.make()?;
    let parent = "def f(x):\n    y = x + 1\n    return y * 2\n";
    let mut requests = [Request::new(parent, 4, ChaCha8Rng::seed_from_u64(1))];
    let stop = AtomicBool::new(false);
    gather(active[0].operator.as_mut(), &mut requests, &stop)
}

#[test]
fn a_model_that_computes_no_numbers_ends_the_run_by_its_name() {
    let sound = changed("sound", |_, _| {});
    let broken = changed("broken", |name, data| {
        if name == "model.norm.weight" {
            data.fill(3e38);
        }
    });
    for operator in ["line", "diff"] {
        let made = children(operator, &sound).unwrap();
        assert!(made[0].iter().all(Option::is_some));
        let error = children(operator, &broken).unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, Error::Model(_)), "{text}");
        for word in [
            "broken/model.safetensors",
            "the logits",
            "no numbers",
            "choose another",
        ] {
            assert!(text.contains(word), "{text:?} lacks {word:?}");
        }
    }
}

#[test]
fn weights_that_are_no_numbers_are_found_before_the_run() {
    let broken = changed("nan", |name, data| {
        if name == "model.layers.1.mlp.up_proj.weight" {
            data[100] = f32::NAN;
        }
    });
    let error = children("line", &broken).unwrap_err().to_string();
    assert!(
        error.contains("layers.1.mlp.up_proj.weight") && error.contains("no numbers"),
        "{error}"
    );
}
