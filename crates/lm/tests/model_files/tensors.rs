//! Tensors that are not used, come twice, hold no numbers or are cut off.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use lm::cpu::Precision;
use lm::{Checkpoint, Error};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};

use crate::gguf::Tensor;
use crate::{Changed, copy, refused, tiny, ways, write, writer, writer_on};

#[test]
fn unused_tensors_of_gguf_are_refused_by_name() {
    for (name, width) in [
        ("blk.0.ffn_gate.bias", 96),
        ("blk.1.ffn_down.bias", 64),
        ("blk.0.attn_output.bias", 64),
        ("blk.1.attn_q_norm.weight", 16),
        ("blk.0.attn_norm.bias", 64),
        ("blk.0.post_attention_norm.weight", 64),
        ("blk.2.attn_norm.weight", 64),
        ("output_norm.bias", 64),
        ("rope_factors_long.weight", 8),
        ("token_types.weight", 64),
    ] {
        let mut changed = Changed::new("llama-q8_0.gguf");
        changed.file.add(name, &vec![0.5; width]);
        let error = refused(changed.open(), &["x.gguf", name, "another without it"]);
        assert!(matches!(error, Error::Unsupported(_)));
    }
    // What follows from the configuration does no harm, and a bias that is used counts.
    let mut changed = Changed::new("llama-q8_0.gguf");
    changed.file.add("blk.0.attn_rot_embd.weight", &[0.5; 8]);
    changed.open().unwrap();
    changed.file.add("blk.0.attn_q.bias", &[0.5; 64]);
    let error = refused(changed.open(), &["k_proj.bias", "is missing"]);
    assert!(matches!(error, Error::Tensor(_)));
    let mut changed = Changed::new("qwen3-q8_0.gguf");
    let norm = |tensor: &Tensor| tensor.name == "blk.1.attn_k_norm.weight";
    changed.file.tensors.retain(|tensor| !norm(tensor));
    refused(
        changed.open(),
        &["layers.1.self_attn.k_norm.weight", "is missing"],
    );
}

/// Adds a tensor to a folder's weights.
fn add(folder: &Path, name: &str, shape: Vec<usize>) {
    let file = folder.join("model.safetensors");
    let bytes = fs::read(&file).unwrap();
    let held = SafeTensors::deserialize(&bytes).unwrap();
    let zeros = vec![0; 4 * shape.iter().product::<usize>()];
    let mut all: HashMap<String, TensorView<'_>> = held.tensors().into_iter().collect();
    all.insert(
        name.to_owned(),
        TensorView::new(Dtype::F32, shape, &zeros).unwrap(),
    );
    fs::write(&file, safetensors::serialize(&all, None).unwrap()).unwrap();
}

#[test]
fn unused_tensors_of_safetensors_are_refused_by_name() {
    for (name, width) in [
        ("model.layers.0.self_attn.o_proj.bias", 64),
        ("model.layers.0.self_attn.q_proj.bias", 64),
        ("model.layers.1.self_attn.q_norm.weight", 16),
        ("model.layers.0.mlp.gate_proj.bias", 96),
        ("model.layers.2.input_layernorm.weight", 64),
        ("score.weight", 64),
    ] {
        let folder = copy("llama");
        add(folder.path(), name, vec![width]);
        let error = refused(
            Checkpoint::open(folder.path()),
            &[name, "another without it"],
        );
        assert!(matches!(error, Error::Unsupported(_)));
    }
    let folder = copy("llama");
    for name in [
        "model.layers.0.self_attn.rotary_emb.inv_freq",
        "model.rotary_emb.inv_freq",
        "model.layers.0.self_attn.masked_bias",
    ] {
        add(folder.path(), name, vec![8]);
    }
    // The embedding is the head, as the configuration says.
    add(folder.path(), "lm_head.weight", vec![512, 64]);
    Checkpoint::open(folder.path()).unwrap();
}

#[test]
fn names_that_come_twice_are_refused() {
    let mut changed = Changed::new("llama-q8_0.gguf");
    let tensor = changed.file.tensors[0].clone();
    changed.file.tensors.push(tensor.clone());
    refused(changed.open(), &[&tensor.name, "is there twice"]);
    let mut changed = Changed::new("llama-q8_0.gguf");
    let field = changed.file.fields[3].clone();
    changed.file.fields.push(field.clone());
    refused(changed.open(), &[&field.0, "is there twice"]);
}

#[test]
fn weights_that_are_no_numbers_are_refused_by_name() {
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        for (device, precision) in ways() {
            let mut changed = Changed::new("llama-q8_0.gguf");
            changed.file.tensor("blk.1.ffn_norm.weight").data[8..12]
                .copy_from_slice(&bad.to_le_bytes());
            let words = [
                "x.gguf",
                "layers.1.post_attention_layernorm.weight",
                "no numbers",
            ];
            let error = refused(
                writer_on(changed.open().unwrap(), device, precision),
                &words,
            );
            assert!(matches!(error, Error::Numbers(_)));
            // The scale of a block.
            let mut changed = Changed::new("llama-q8_0.gguf");
            let scale = half::f16::from_f32(bad).to_le_bytes();
            changed.file.tensor("blk.0.attn_v.weight").data[34..36].copy_from_slice(&scale);
            let words = ["x.gguf", "layers.0.self_attn.v_proj.weight", "no numbers"];
            refused(
                writer_on(changed.open().unwrap(), device, precision),
                &words,
            );
        }
    }
}

/// Weights that are numbers, but too large to compute with, wherever they are.
#[test]
fn logits_that_are_no_numbers_are_an_error() {
    for (name, size) in [
        ("output_norm.weight", 3e38),
        ("blk.0.attn_norm.weight", 3e38),
        ("blk.1.ffn_norm.weight", 3e38),
        ("blk.0.attn_norm.weight", 3e19),
    ] {
        for (device, precision) in ways() {
            for temperature in [0.0, 1.0] {
                let mut changed = Changed::new("llama-q8_0.gguf");
                let data = &mut changed.file.tensor(name).data;
                for value in data.as_chunks_mut::<4>().0 {
                    *value = f32::to_le_bytes(size);
                }
                let mut writer = writer_on(changed.open().unwrap(), device, precision).unwrap();
                let words = ["x.gguf", "the logits", "no numbers"];
                let error = refused(write(&mut writer, &[5, 6, 7], temperature), &words);
                assert!(
                    matches!(error, Error::Numbers(_)),
                    "{name} {device} {precision:?}"
                );
            }
        }
    }
}

/// Reading what is no more there would end the process.
#[test]
fn a_file_that_is_cut_short_while_open() {
    for name in ["llama-q8_0.gguf", "llama/model.safetensors"] {
        let folder = copy("llama");
        let path = folder.path().join(Path::new(name).file_name().unwrap());
        fs::copy(tiny(name), &path).unwrap();
        let model = Checkpoint::open(&path).unwrap();
        fs::File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .set_len(4096)
            .unwrap();
        let words = [path.to_str().unwrap(), "was cut short", "4096"];
        let error = refused(model.tensor("model.norm.weight"), &words);
        assert!(matches!(error, Error::Damaged(_)));
        refused(writer(model, Precision::Int8), &words);
    }
}
