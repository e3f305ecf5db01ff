//! Models in GGUF files.

pub(crate) use file::{Gguf, Shard};
pub(crate) use write::to_gguf;

mod file;
mod model;
mod quant;
mod read;
mod vocab;
mod words;
mod write;

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::file::Gguf;
    use super::quant::Kind;
    use crate::bytes::Bytes;

    /// Against the `gguf` package, bit by bit; see `tests/golden/quants.py`.
    #[test]
    fn values_of_every_kind() {
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
        let expected = std::fs::read(golden.join("quants.f32")).unwrap();
        let path = golden.join("quants.gguf");
        let gguf = Gguf::new(&path, Bytes::map(&path).unwrap()).unwrap();
        assert_eq!(gguf.tensors.len(), Kind::names().split(", ").count());
        let mut found = Vec::new();
        for (name, place) in &gguf.tensors {
            assert_eq!(*name, format!("{:?}", place.kind));
            let tensor = gguf.read(name).unwrap().unwrap();
            assert_eq!(tensor.shape[0], 3);
            assert_eq!(tensor.data.len(), tensor.shape.iter().product::<usize>());
            let start = found.len();
            found.extend(tensor.data.iter().flat_map(|x| x.to_le_bytes()));
            assert!(found[start..] == expected[start..found.len()], "{name}");
        }
        assert_eq!(found.len(), expected.len());
    }
}
