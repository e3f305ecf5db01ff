//! GGUF files taken apart and put together, for tests that need one of another kind.

use std::path::Path;

/// A file's metadata and tensors, in order.
#[derive(Clone, Default)]
pub struct File {
    /// Key, and type and value as the file has them.
    pub fields: Vec<(String, Vec<u8>)>,
    pub tensors: Vec<Tensor>,
}

#[derive(Clone)]
pub struct Tensor {
    pub name: String,
    /// The shortest stride first.
    pub shape: Vec<u64>,
    pub kind: u32,
    pub data: Vec<u8>,
}

const ALIGNMENT: usize = 32;

struct Cursor<'a>(&'a [u8], usize);

impl<'a> Cursor<'a> {
    fn take(&mut self, n: usize) -> &'a [u8] {
        self.1 += n;
        &self.0[self.1 - n..self.1]
    }

    fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.take(4).try_into().unwrap())
    }

    fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.take(8).try_into().unwrap())
    }

    fn text(&mut self) -> String {
        let len = self.u64() as usize;
        String::from_utf8(self.take(len).to_vec()).unwrap()
    }

    fn skip(&mut self, kind: u32) {
        match kind {
            0 | 1 | 7 => drop(self.take(1)),
            2 | 3 => drop(self.take(2)),
            4..=6 => drop(self.take(4)),
            10..=12 => drop(self.take(8)),
            8 => drop(self.text()),
            9 => {
                let kind = self.u32();
                for _ in 0..self.u64() {
                    self.skip(kind);
                }
            }
            _ => panic!("type {kind}"),
        }
    }
}

impl File {
    /// A file whose tensors are of F32 or Q8_0.
    pub fn read(path: &Path) -> Self {
        let bytes = std::fs::read(path).unwrap();
        let mut cursor = Cursor(&bytes, 8);
        let (tensors, fields) = (cursor.u64(), cursor.u64());
        let mut file = Self::default();
        for _ in 0..fields {
            let key = cursor.text();
            let start = cursor.1;
            let kind = cursor.u32();
            cursor.skip(kind);
            file.fields.push((key, bytes[start..cursor.1].to_vec()));
        }
        let mut offsets = Vec::new();
        for _ in 0..tensors {
            let name = cursor.text();
            let shape = (0..cursor.u32()).map(|_| cursor.u64()).collect();
            let (kind, data) = (cursor.u32(), Vec::new());
            offsets.push(cursor.u64() as usize);
            let tensor = Tensor {
                name,
                shape,
                kind,
                data,
            };
            file.tensors.push(tensor);
        }
        let start = cursor.1.next_multiple_of(ALIGNMENT);
        for (tensor, offset) in file.tensors.iter_mut().zip(offsets) {
            let count: u64 = tensor.shape.iter().product();
            let size = match tensor.kind {
                0 => 4 * count,
                8 => 34 * count / 32,
                other => panic!("quantisation {other}"),
            };
            tensor.data = bytes[start + offset..][..size as usize].to_vec();
        }
        file
    }

    /// Writes the file.
    pub fn write(&self, path: &Path) {
        let mut bytes = b"GGUF\x03\0\0\0".to_vec();
        let text = |text: &str| [&(text.len() as u64).to_le_bytes(), text.as_bytes()].concat();
        bytes.extend((self.tensors.len() as u64).to_le_bytes());
        bytes.extend((self.fields.len() as u64).to_le_bytes());
        for (key, value) in &self.fields {
            bytes.extend(text(key));
            bytes.extend(value);
        }
        let mut offset = 0u64;
        for tensor in &self.tensors {
            bytes.extend(text(&tensor.name));
            bytes.extend((tensor.shape.len() as u32).to_le_bytes());
            bytes.extend(tensor.shape.iter().flat_map(|n| n.to_le_bytes()));
            bytes.extend(tensor.kind.to_le_bytes());
            bytes.extend(offset.to_le_bytes());
            offset += tensor.data.len().next_multiple_of(ALIGNMENT) as u64;
        }
        for tensor in &self.tensors {
            bytes.resize(bytes.len().next_multiple_of(ALIGNMENT), 0);
            bytes.extend(&tensor.data);
        }
        std::fs::write(path, bytes).unwrap();
    }

    /// Sets a field to a value of a type, both as files have them, in place of what it was.
    pub fn set(&mut self, key: &str, kind: u32, value: &[u8]) -> &mut Self {
        self.fields.retain(|field| field.0 != key);
        let value = [&kind.to_le_bytes(), value].concat();
        self.fields.push((key.to_owned(), value));
        self
    }

    /// Sets a field to a text.
    pub fn set_text(&mut self, key: &str, text: &str) -> &mut Self {
        let value = [&(text.len() as u64).to_le_bytes(), text.as_bytes()].concat();
        self.set(key, 8, &value)
    }

    /// Sets a field to a flag.
    pub fn set_flag(&mut self, key: &str, flag: bool) -> &mut Self {
        self.set(key, 7, &[u8::from(flag)])
    }

    /// Sets a field to a number of 32 bits.
    pub fn set_int(&mut self, key: &str, n: u32) -> &mut Self {
        self.set(key, 4, &n.to_le_bytes())
    }

    /// Sets a field to a float.
    pub fn set_float(&mut self, key: &str, x: f32) -> &mut Self {
        self.set(key, 6, &x.to_le_bytes())
    }

    /// Adds a vector.
    pub fn add(&mut self, name: &str, values: &[f32]) -> &mut Self {
        self.tensors.push(Tensor {
            name: name.to_owned(),
            shape: vec![values.len() as u64],
            kind: 0,
            data: values.iter().flat_map(|x| x.to_le_bytes()).collect(),
        });
        self
    }

    /// The tensor of a name.
    pub fn tensor(&mut self, name: &str) -> &mut Tensor {
        let mut tensors = self.tensors.iter_mut();
        tensors.find(|tensor| tensor.name == name).unwrap()
    }
}
