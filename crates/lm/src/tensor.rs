//! Values in rows.

use std::borrow::Cow;
use std::path::Path;

use crate::cpu::finite;
use crate::error::{Error, Fault};

/// Values in row-major order.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    /// Rows first; a matrix is `[out, in]`.
    pub shape: Vec<usize>,
    /// As many as the product of the shape.
    pub data: Vec<f32>,
}

/// A weight that a decoder can be made of, wherever it lies.
pub trait Weight {
    /// Rows first; a matrix is `[out, in]`.
    fn shape(&self) -> &[usize];

    /// Its values in row-major order.
    ///
    /// # Errors
    /// They cannot be read.
    fn values(&self) -> Result<Cow<'_, [f32]>, Error>;
}

impl Weight for Tensor {
    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn values(&self) -> Result<Cow<'_, [f32]>, Error> {
        Ok(Cow::Borrowed(&self.data))
    }
}

impl<W: Weight> Weight for &W {
    fn shape(&self) -> &[usize] {
        (*self).shape()
    }

    fn values(&self) -> Result<Cow<'_, [f32]>, Error> {
        (*self).values()
    }
}

/// A weight whose values must be finite numbers.
pub(crate) struct Finite<'a, W> {
    pub(crate) weight: &'a W,
    pub(crate) name: String,
    /// For messages.
    pub(crate) file: &'a Path,
}

impl<W: Weight> Weight for Finite<'_, W> {
    fn shape(&self) -> &[usize] {
        self.weight.shape()
    }

    fn values(&self) -> Result<Cow<'_, [f32]>, Error> {
        let values = self.weight.values()?;
        if finite(&values) {
            return Ok(values);
        }
        Err(Error::Numbers(Fault::new(
            self.file,
            format!("tensor {}", self.name),
            "has values that are infinite or no numbers",
            "fetch or convert the model again, or choose another",
        )))
    }
}

/// The values of several, one after the other: matrices of the same width become one.
pub(crate) fn joined<W: Weight>(weights: &[&W]) -> Result<Vec<f32>, Error> {
    let mut all = Vec::new();
    for weight in weights {
        all.extend_from_slice(&weight.values()?);
    }
    Ok(all)
}

/// A tensor as stored.
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) bytes: u64,
}
