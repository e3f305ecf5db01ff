//! Values in rows.

use std::borrow::Cow;

use crate::error::Error;

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
