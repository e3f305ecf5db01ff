//! What the decoder and the trainer on Burn have in common.

use std::panic::catch_unwind;

use burn::Tensor;
use burn::tensor::{Device, Int, TensorData};

use crate::config::Config;
use crate::error::Error;

/// What hides a token from attention: its weight becomes 0.
pub(crate) const UNSEEN: f32 = -1e9;

/// Opens a device other than [`crate::Device::Cpu`].
///
/// # Errors
/// `Error::Device` for one that this build or the machine lacks.
pub(crate) fn open(device: crate::Device) -> Result<Device, Error> {
    device.check()?;
    // Without a driver or a card Burn panics at the first use.
    let opened = catch_unwind(|| {
        let device = burn_device(device)?;
        Tensor::<1>::zeros([1], &device).try_into_data().ok()?;
        Some(device)
    });
    if let Ok(Some(device)) = opened {
        return Ok(device);
    }
    let built = crate::Device::built().filter(|other| *other != device);
    Err(Error::Device {
        device: device.to_string(),
        problem: match device {
            crate::Device::Cpu => "is not computed on by Burn under this name",
            _ => "has no driver or no card here",
        },
        mend: format!(
            "choose one that works, of this build: {}",
            built
                .map(crate::Device::name)
                .collect::<Vec<_>>()
                .join(", ")
        ),
    })
}

/// `None` for a device that this build does not compute on by Burn.
fn burn_device(device: crate::Device) -> Option<Device> {
    match device {
        #[cfg(feature = "cuda")]
        crate::Device::Cuda => Some(Device::cuda(0)),
        #[cfg(feature = "vulkan")]
        crate::Device::Vulkan => Some(Device::vulkan(burn::tensor::DeviceKind::DefaultDevice)),
        #[cfg(feature = "metal")]
        crate::Device::Metal => Some(Device::metal(burn::tensor::DeviceKind::DefaultDevice)),
        #[cfg(feature = "flex")]
        crate::Device::Flex => Some(Device::flex()),
        _ => None,
    }
}

/// Indices.
pub(crate) fn ints(values: Vec<usize>, device: &Device) -> Tensor<1, Int> {
    let values: Vec<i32> = values.into_iter().map(|value| value as i32).collect();
    let count = values.len();
    Tensor::from_data(TensorData::new(values, [count]), device)
}

/// RMSNorm (Zhang and Sennrich 2019) of each row; `weight` is `[1, width]`.
pub(crate) fn rms_norm(x: Tensor<2>, weight: Tensor<2>, epsilon: f64) -> Tensor<2> {
    let mean = x.clone().square().mean_dim(1);
    x / (mean + epsilon).sqrt() * weight
}

/// RMSNorm of each head by itself, heads side by side in each row; `weight` is `[1, head_dim]`.
pub(crate) fn heads_norm(x: Tensor<2>, weight: Tensor<2>, epsilon: f64) -> Tensor<2> {
    let [tokens, width] = x.dims();
    let dim = weight.dims()[1];
    let heads = x.reshape([tokens * width / dim, dim]);
    rms_norm(heads, weight, epsilon).reshape([tokens, width])
}

/// Cosine and sine of every pair of a head at every position, `[positions, head_dim / 2]`.
pub(crate) struct Rope {
    cos: Tensor<2>,
    sin: Tensor<2>,
}

/// The rows of a [`Rope`] for some tokens, `[tokens, 1, head_dim / 2]`.
pub(crate) struct Turn {
    cos: Tensor<3>,
    sin: Tensor<3>,
}

impl Rope {
    pub(crate) fn new(config: &Config, device: &Device) -> Self {
        let (positions, half) = (config.max_position_embeddings, config.head_dim / 2);
        let frequencies = config.rope_frequencies();
        let table = |f: fn(f64) -> f64| {
            let mut values = Vec::with_capacity(positions * half);
            for position in 0..positions {
                let angles = frequencies.iter().map(|f| position as f64 * f);
                values.extend(angles.map(|angle| f(angle) as f32));
            }
            Tensor::from_data(TensorData::new(values, [positions, half]), device)
        };
        Self {
            cos: table(libm::cos),
            sin: table(libm::sin),
        }
    }

    /// For tokens at these positions.
    pub(crate) fn at(&self, positions: &Tensor<1, Int>) -> Turn {
        let rows = |table: &Tensor<2>| {
            let rows = table.clone().select(0, positions.clone());
            rows.unsqueeze_dim(1)
        };
        Turn {
            cos: rows(&self.cos),
            sin: rows(&self.sin),
        }
    }
}

impl Turn {
    /// Rotary positions (Su et al. 2021), the halves of each head as pairs, heads side by side in each row.
    pub(crate) fn of(&self, x: Tensor<2>) -> Tensor<2> {
        let [tokens, width] = x.dims();
        let half = self.cos.dims()[2];
        let x = x.reshape([tokens, width / (2 * half), 2 * half]);
        let (cos, sin) = (&self.cos, &self.sin);
        let (low, high) = (x.clone().narrow(2, 0, half), x.narrow(2, half, half));
        let first = low.clone() * cos.clone() - high.clone() * sin.clone();
        let second = high * cos.clone() + low * sin.clone();
        Tensor::cat(vec![first, second], 2).reshape([tokens, width])
    }
}
