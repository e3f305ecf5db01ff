//! Scaled rotary positions.

use lm::{Checkpoint, RopeScaling};
use serde_json::json;

use crate::gguf::File;
use crate::{Changed, copy, edit, refused, tiny};

#[test]
fn rope_scalings_of_config_json() {
    let plain = Checkpoint::open(&tiny("llama")).unwrap().config;
    let llama3 = Checkpoint::open(&tiny("llama3"))
        .unwrap()
        .config
        .rope_scaling;
    let scaled = json!({
        "rope_type": "llama3", "factor": 4.0, "low_freq_factor": 1, "high_freq_factor": 4,
        "original_max_position_embeddings": 64,
    });
    let mut older = scaled.clone();
    older["type"] = older["rope_type"].take();
    older.as_object_mut().unwrap().remove("rope_type");
    let mut newer = scaled.clone();
    newer["rope_theta"] = json!(10_000.0);
    let idle = |kind: &str| json!({"type": kind, "factor": 1.0});
    for (field, value, right) in [
        ("rope_scaling", json!(null), RopeScaling::None),
        ("rope_scaling", json!({}), RopeScaling::None),
        ("rope_scaling", scaled, llama3.clone()),
        ("rope_scaling", older, llama3.clone()),
        ("rope_parameters", newer, llama3),
        (
            "rope_scaling",
            json!({"type": "linear", "factor": 2}),
            RopeScaling::Linear(2.0),
        ),
        (
            "rope_scaling",
            json!({"rope_type": "default"}),
            RopeScaling::None,
        ),
        ("rope_scaling", idle("linear"), RopeScaling::None),
        ("rope_scaling", idle("dynamic"), RopeScaling::None),
        ("rope_scaling", idle("yarn"), RopeScaling::None),
        ("rope_scaling", idle("llama3"), RopeScaling::None),
    ] {
        let folder = copy("llama");
        let said = format!("{field} {value}");
        edit(&folder.path().join("config.json"), |config| {
            config[field] = value
        });
        let config = Checkpoint::open(folder.path()).unwrap().config;
        assert_eq!(
            config,
            lm::Config {
                rope_scaling: right,
                ..plain.clone()
            },
            "{said}"
        );
        assert_eq!(
            serde_json::from_str::<lm::Config>(&config.to_json()).unwrap(),
            config
        );
    }
}

#[test]
fn rope_scalings_of_gguf() {
    type Change = fn(&mut File);
    let linear = |factor: f64| Some(RopeScaling::Linear(factor));
    let none = Some(RopeScaling::None);
    let cases: [(Change, Option<RopeScaling>); 9] = [
        (
            |f| {
                f.set_text("llama.rope.scaling.type", "none");
            },
            none.clone(),
        ),
        (
            |f| {
                f.set_text("llama.rope.scaling.type", "linear");
                f.set_float("llama.rope.scaling.factor", 1.0);
            },
            none.clone(),
        ),
        (
            |f| {
                f.set_text("llama.rope.scaling.type", "linear");
                f.set_float("llama.rope.scaling.factor", 2.5);
            },
            linear(2.5),
        ),
        (
            |f| {
                f.set_float("llama.rope.scale_linear", 4.0);
            },
            linear(4.0),
        ),
        (
            |f| {
                f.set_float("llama.rope.scaling.factor", 0.0);
            },
            none.clone(),
        ),
        (
            |f| {
                f.set_text("llama.rope.scaling.type", "yarn");
                f.set_float("llama.rope.scaling.factor", 1.0);
            },
            none,
        ),
        (
            |f| {
                f.set_text("llama.rope.scaling.type", "yarn");
                f.set_float("llama.rope.scaling.factor", 4.0);
            },
            None,
        ),
        (
            |f| {
                f.set_text("llama.rope.scaling.type", "longrope");
            },
            None,
        ),
        (
            |f| {
                f.add("rope_freqs.weight", &[1.0; 7]);
            },
            None,
        ),
    ];
    for (number, (change, right)) in cases.into_iter().enumerate() {
        let mut changed = Changed::new("llama-q8_0.gguf");
        change(&mut changed.file);
        match right {
            Some(right) => assert_eq!(
                changed.open().unwrap().config.rope_scaling,
                right,
                "{number}"
            ),
            None => drop(refused(changed.open(), &["x.gguf", "rope"])),
        }
    }
}
