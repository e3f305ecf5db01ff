//! Configurations that cannot be, or say what is not known.

use std::fs;

use lm::Checkpoint;

use crate::{copy, refused};

#[test]
fn configurations_that_cannot_be() {
    let folder = copy("llama");
    let config = folder.path().join("config.json");
    let text = fs::read_to_string(&config).unwrap();
    for (from, to, word) in [
        ("\"hidden_size\": 64", "\"hidden_size\": -64", "hidden_size"),
        (
            "\"hidden_size\": 64",
            "\"hidden_size\": 1e300",
            "hidden_size",
        ),
        (
            "\"num_attention_heads\": 4",
            "\"num_attention_heads\": 0",
            "num_attention_heads",
        ),
        (
            "\"num_key_value_heads\": 2",
            "\"num_key_value_heads\": 3",
            "num_key_value_heads",
        ),
        (
            "\"num_hidden_layers\": 2",
            "\"num_hidden_layers\": 4000000000",
            "num_hidden_layers",
        ),
        (
            "\"vocab_size\": 512",
            "\"vocab_size\": 18446744073709551615",
            "vocab_size",
        ),
        (
            "\"vocab_size\": 512",
            "\"vocab_size\": 500",
            "not [500, 64]",
        ),
        (
            "\"rms_norm_eps\": 1e-05",
            "\"rms_norm_eps\": \"small\"",
            "rms_norm_eps",
        ),
        (
            "\"eos_token_id\": 0",
            "\"eos_token_id\": 512",
            "eos_token_id",
        ),
        (
            "\"model_type\": \"llama\"",
            "\"model_type\": \"mamba\"",
            "mamba",
        ),
        (
            "\"hidden_act\": \"silu\"",
            "\"hidden_act\": \"gelu\"",
            "hidden_act",
        ),
        (
            "\"eos_token_id\"",
            "\"rope_scaling\": {\"rope_type\": \"llama3\"}, \"eos_token_id\"",
            "rope_scaling",
        ),
        (
            "\"eos_token_id\"",
            "\"rope_scaling\": {\"type\": \"yarn\", \"factor\": 2}, \"eos_token_id\"",
            "\"yarn\"",
        ),
        (
            "\"eos_token_id\"",
            "\"rope_scaling\": {\"type\": \"dynamic\", \"factor\": 2.0}, \"eos_token_id\"",
            "\"dynamic\"",
        ),
        (
            "\"eos_token_id\"",
            "\"rope_scaling\": {\"type\": \"longrope\", \"short_factor\": [1], \"long_factor\": [2]}, \"eos_token_id\"",
            "\"longrope\"",
        ),
        (
            "\"eos_token_id\"",
            "\"rope_scaling\": {\"type\": \"yarn\", \"factor\": 1, \"attention_factor\": 2}, \"eos_token_id\"",
            "\"yarn\"",
        ),
        (
            "\"eos_token_id\"",
            "\"rope_scaling\": {\"factor\": 2.0}, \"eos_token_id\"",
            "rope_type",
        ),
        (
            "\"eos_token_id\"",
            "\"rope_scaling\": {\"type\": \"linear\", \"factor\": -2.0}, \"eos_token_id\"",
            "factor",
        ),
        (
            "\"eos_token_id\"",
            "\"rope_scaling\": {\"type\": \"linear\", \"factor\": \"x\"}, \"eos_token_id\"",
            "rope_scaling.factor: is \"x\"; it must be a number",
        ),
        (
            "\"eos_token_id\"",
            "\"rope_scaling\": {\"type\": \"linear\", \"factor\": 2}, \"rope_parameters\": {\"rope_type\": \"linear\", \"factor\": 4}, \"eos_token_id\"",
            "what rope_parameters says",
        ),
        (
            "\"eos_token_id\"",
            "\"rope_scaling\": {\"type\": \"default\"}, \"rope_parameters\": {\"rope_type\": \"yarn\", \"factor\": 4}, \"eos_token_id\"",
            "\"yarn\"",
        ),
        (
            "\"eos_token_id\"",
            "\"rope_scaling\": \"llama3\", \"eos_token_id\"",
            "an object or null",
        ),
        (
            "\"eos_token_id\"",
            "\"rope_parameters\": {\"full_attention\": {\"rope_theta\": 1e4}}, \"eos_token_id\"",
            "rope_parameters",
        ),
        (
            "\"eos_token_id\"",
            "\"rope_parameters\": {\"rope_theta\": 1e4, \"partial_rotary_factor\": 0.5}, \"eos_token_id\"",
            "partial_rotary_factor",
        ),
        (
            "\"eos_token_id\"",
            "\"layer_types\": [\"full_attention\", \"sliding_attention\"], \"eos_token_id\"",
            "sliding_attention",
        ),
        (
            "\"eos_token_id\"",
            "\"quantization_config\": {\"quant_method\": \"gptq\"}, \"eos_token_id\"",
            "quantization_config",
        ),
        (
            "\"vocab_size\": 512",
            "\"vocab_size\": 512, \"mlp_bias\": true",
            "mlp_bias",
        ),
        (
            "\"vocab_size\": 512",
            "\"vocab_size\": 512, \"attention_bias\": true",
            "attention_bias",
        ),
    ] {
        assert!(text.contains(from), "{from}");
        fs::write(&config, text.replace(from, to)).unwrap();
        refused(Checkpoint::open(folder.path()), &[word]);
    }
}
