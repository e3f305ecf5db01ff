//! A trainer's state, on its way out and in.

use std::collections::BTreeMap;
use std::path::Path;

use burn::Tensor as Held;

use super::learned::{Learned, upload};
use super::{Trainer, VALUE_BIAS, VALUE_WEIGHT};
use crate::error::{Error, Fault};
use crate::tensor::Tensor;
use crate::train::Learns;

/// How many updates there have been, `[1]`.
const UPDATES: &str = "adam.updates";

/// The names of a tensor that learns and of Adam's means of it, with what they stand for.
fn parts(one: &Learned) -> [(String, &Held<2>); 3] {
    [
        (one.name.clone(), &one.value),
        (format!("adam.mean.{}", one.name), &one.mean),
        (format!("adam.square.{}", one.name), &one.square),
    ]
}

/// The values as they lie in files.
fn stored(shape: &[usize], tensor: &Held<2>) -> Tensor {
    let data = tensor.to_data_as::<f32>();
    Tensor {
        shape: shape.to_vec(),
        data: data.as_slice().expect("just made of this kind").to_vec(),
    }
}

/// A state of something else.
fn refused(name: &str, problem: String) -> Error {
    let mend = "take a state of the same model, learning with the same options";
    let field = format!("tensor {name}");
    Error::Training(Fault::new(Path::new("the state"), field, problem, mend))
}

impl Trainer {
    pub(super) fn low_rank(&self) -> Vec<(String, Tensor)> {
        if self.options.learns == Learns::All {
            return Vec::new();
        }
        let learned = self.learned.iter();
        let low = learned.filter(|one| ![VALUE_WEIGHT, VALUE_BIAS].contains(&one.name.as_str()));
        low.map(|one| (one.name.clone(), stored(&one.shape, &one.value)))
            .collect()
    }

    pub(super) fn all_state(&self) -> Vec<(String, Tensor)> {
        let mut all = Vec::new();
        for one in &self.learned {
            let parts = parts(one).into_iter();
            all.extend(parts.map(|(name, tensor)| (name, stored(&one.shape, tensor))));
        }
        let updates = Tensor {
            shape: vec![1],
            data: vec![self.updates as f32],
        };
        all.push((UPDATES.to_owned(), updates));
        all
    }

    pub(super) fn take_state(&mut self, state: Vec<(String, Tensor)>) -> Result<(), Error> {
        let mut given = BTreeMap::new();
        for (name, tensor) in state {
            if given.contains_key(&name) {
                return Err(refused(&name, "is there twice".to_owned()));
            }
            given.insert(name, tensor);
        }
        let mut state = given;
        let mut take = |name: &str, shape: &[usize]| {
            let tensor = state.remove(name);
            let tensor = tensor.ok_or_else(|| refused(name, "is missing".to_owned()))?;
            if tensor.shape != shape || tensor.data.len() != shape.iter().product::<usize>() {
                let problem = format!("is of shape {:?}, not {shape:?}", tensor.shape);
                return Err(refused(name, problem));
            }
            if !tensor.data.iter().all(|value| value.is_finite()) {
                let problem = "has values that are infinite or no numbers".to_owned();
                return Err(refused(name, problem));
            }
            Ok(tensor.data)
        };
        let mut learned = Vec::new();
        for one in &self.learned {
            let mut held = |name: &str| {
                let values = take(name, &one.shape)?;
                Ok::<_, Error>(upload(&one.shape, values, &self.device))
            };
            let [value, mean, square] = parts(one).map(|(name, _)| name);
            learned.push([held(&value)?, held(&mean)?, held(&square)?]);
        }
        let updates = take(UPDATES, &[1])?[0];
        if let Some((name, _)) = state.first_key_value() {
            return Err(refused(name, "is none of the trainer's".to_owned()));
        }
        for (one, held) in self.learned.iter_mut().zip(learned) {
            [one.value, one.mean, one.square] = held;
            one.gradient = None;
        }
        self.updates = updates as u32;
        Ok(())
    }
}
