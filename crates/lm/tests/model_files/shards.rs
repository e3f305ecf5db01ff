//! Models in several files.

use std::fs;

use lm::{Checkpoint, Error, Tokenizer};
use safetensors::SafeTensors;
use safetensors::tensor::TensorView;
use serde_json::{Value, json};

use crate::gguf::File;
use crate::{copy, refused, tiny};

/// Deals a file's tensors out to so many.
fn shards(file: &File, count: usize) -> Vec<File> {
    let mut shards: Vec<File> = (0..count)
        .map(|number| {
            let fields = if number == 0 {
                file.fields.clone()
            } else {
                Vec::new()
            };
            let mut shard = File {
                fields,
                tensors: Vec::new(),
            };
            let short = |n: usize| (n as u16).to_le_bytes();
            shard.set("split.no", 2, &short(number));
            shard.set("split.count", 2, &short(count));
            shard.set(
                "split.tensors.count",
                5,
                &(file.tensors.len() as i32).to_le_bytes(),
            );
            shard
        })
        .collect();
    for (index, tensor) in file.tensors.iter().enumerate() {
        shards[index * count / file.tensors.len()]
            .tensors
            .push(tensor.clone());
    }
    shards
}

#[test]
fn a_split_gguf_is_read_whole() {
    let whole = File::read(&tiny("llama-q8_0.gguf"));
    let right = Checkpoint::open(&tiny("llama-q8_0.gguf")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = |number: usize| folder.path().join(format!("m-{number:05}-of-00003.gguf"));
    let write = |shards: &[File]| {
        for (shard, number) in shards.iter().zip(1..) {
            shard.write(&path(number));
        }
    };
    let all = shards(&whole, 3);
    write(&all);
    // Any of them stands for the model, as does their folder.
    let mut sums = Vec::new();
    for opened in [path(1), path(2), path(3), folder.path().to_owned()] {
        let model = Checkpoint::open(&opened).unwrap();
        assert_eq!(model.config, right.config);
        assert_eq!(model.summary(), right.summary());
        for (name, _) in model.config.tensors() {
            assert_eq!(model.tensor(&name).unwrap(), right.tensor(&name).unwrap());
        }
        sums.push(model.sha256());
        let text = "def f(x):\n";
        let tokenizer = Tokenizer::open(&path(3)).unwrap();
        assert_eq!(tokenizer.encode(text), right.tokenizer.encode(text));
    }
    sums.dedup();
    assert!(sums.len() == 1 && sums[0] != right.sha256());

    let bytes = fs::read(path(1)).unwrap();
    let error = refused(
        Checkpoint::from_gguf("memory", bytes),
        &["memory", "split.count"],
    );
    assert!(matches!(error, Error::Unsupported(_)));

    for missing in [1, 2] {
        fs::remove_file(path(missing)).unwrap();
        let name = format!("m-{missing:05}-of-00003.gguf");
        let error = refused(
            Checkpoint::open(&path(3)),
            &[&name, "does not exist", "3 files"],
        );
        assert!(matches!(error, Error::Missing(_)));
        refused(Checkpoint::open(folder.path()), &[&name, "does not exist"]);
        write(&all);
    }
    // A name that says nothing of the others.
    let odd = folder.path().join("odd.gguf");
    fs::copy(path(1), &odd).unwrap();
    refused(
        Checkpoint::open(&odd),
        &["odd.gguf", "split.count", "-00001-of-00003.gguf"],
    );
    fs::remove_file(&odd).unwrap();
    // Shards in each other's place, of another number, with a tensor too few or twice.
    fs::copy(path(2), path(3)).unwrap();
    refused(
        Checkpoint::open(&path(1)),
        &["m-00003-of-00003.gguf", "split.no", "is not 2"],
    );
    write(&shards(&whole, 4)[..3]);
    refused(
        Checkpoint::open(&path(1)),
        &["split.count", "-of-00004.gguf"],
    );
    let mut fewer = all.clone();
    fewer[2].tensors.pop();
    write(&fewer);
    refused(
        Checkpoint::open(&path(1)),
        &["split.tensors.count", "does not say"],
    );
    let mut twice = all;
    let tensor = twice[0].tensors[0].clone();
    twice[2].tensors.push(tensor.clone());
    write(&twice);
    refused(
        Checkpoint::open(&path(1)),
        &["m-00003", &tensor.name, "in another file too"],
    );
}

#[test]
fn shards_of_safetensors() {
    let folder = copy("llama");
    let at = folder.path();
    let bytes = fs::read(at.join("model.safetensors")).unwrap();
    let held = SafeTensors::deserialize(&bytes).unwrap();
    let (first, second): (Vec<_>, Vec<_>) =
        (held.tensors().into_iter()).partition(|(name, _)| name.contains("layers.0"));
    let store = |file: &str, tensors: &[(String, TensorView<'_>)]| {
        let bytes = safetensors::serialize(tensors.iter().cloned(), None).unwrap();
        fs::write(at.join(file), bytes).unwrap();
    };
    let mut map: serde_json::Map<String, Value> = serde_json::Map::new();
    for (tensors, file) in [(&first, "a.safetensors"), (&second, "b.safetensors")] {
        store(file, tensors);
        map.extend(tensors.iter().map(|(name, _)| (name.clone(), json!(file))));
    }
    fs::remove_file(at.join("model.safetensors")).unwrap();
    let index = at.join("model.safetensors.index.json");
    let write_index = |map: &serde_json::Map<String, Value>| {
        fs::write(
            &index,
            json!({"metadata": {}, "weight_map": map}).to_string(),
        )
        .unwrap();
    };
    write_index(&map);
    let right = Checkpoint::open(&tiny("llama")).unwrap();
    let same = |model: &Checkpoint| {
        for (name, _) in model.config.tensors() {
            assert_eq!(model.tensor(&name).unwrap(), right.tensor(&name).unwrap());
        }
    };
    same(&Checkpoint::open(at).unwrap());
    // A shard stands for the model.
    same(&Checkpoint::open(&at.join("b.safetensors")).unwrap());

    // A tensor that is in both files is that of the file which the index names; without a name it is one too many.
    let name = first[0].0.clone();
    let zeros = vec![0; first[0].1.data().len()];
    let other = TensorView::new(first[0].1.dtype(), first[0].1.shape().to_vec(), &zeros).unwrap();
    let both: Vec<_> = second
        .iter()
        .cloned()
        .chain([(name.clone(), other)])
        .collect();
    store("b.safetensors", &both);
    same(&Checkpoint::open(at).unwrap());
    map.remove(&name);
    write_index(&map);
    refused(
        Checkpoint::open(at),
        &["b.safetensors", &name, "in another file"],
    );

    fs::remove_file(at.join("b.safetensors")).unwrap();
    let error = refused(
        Checkpoint::open(at),
        &["b.safetensors", "does not exist", "index.json"],
    );
    assert!(matches!(error, Error::Missing(_)));
    for outside in [
        "../b.safetensors",
        "/etc/b.safetensors",
        "x/b.safetensors",
        ".b",
        "",
        "c:b",
    ] {
        map.insert(name.clone(), json!(outside));
        write_index(&map);
        refused(
            Checkpoint::open(at),
            &["weight_map", "not a file beside it"],
        );
    }
}
