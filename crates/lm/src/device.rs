//! Where a model computes.

use std::fmt;
use std::str::FromStr;

use crate::error::Error;

/// Where a model computes. A build always knows the names; it computes on a GPU only with the feature of that name.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Device {
    /// The processor, by [`crate::cpu`].
    #[default]
    Cpu,
    /// The first NVIDIA card, by CUDA.
    Cuda,
    /// A card, by Vulkan.
    Vulkan,
    /// A card of Apple's, by Metal.
    Metal,
    /// The processor, by Burn; slower than `Cpu`, for comparison.
    Flex,
}

impl Device {
    /// All there are.
    pub const ALL: [Self; 5] = [Self::Cpu, Self::Cuda, Self::Vulkan, Self::Metal, Self::Flex];

    /// Its name in settings, which is also that of the feature it needs (`cpu` needs none).
    pub fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Cuda => "cuda",
            Self::Vulkan => "vulkan",
            Self::Metal => "metal",
            Self::Flex => "flex",
        }
    }

    /// Those that this build computes on, `Cpu` first.
    pub fn built() -> impl Iterator<Item = Self> {
        Self::ALL
            .into_iter()
            .filter(|device| device.check().is_ok())
    }

    /// Whether this build computes on it. (Whether the machine has one shows when a model is loaded.)
    ///
    /// # Errors
    /// `Error::Device`, saying how to build so.
    pub fn check(self) -> Result<(), Error> {
        let built = match self {
            Self::Cpu => true,
            Self::Cuda => cfg!(feature = "cuda"),
            Self::Vulkan => cfg!(feature = "vulkan"),
            Self::Metal => cfg!(feature = "metal"),
            Self::Flex => cfg!(feature = "flex"),
        };
        if built {
            return Ok(());
        }
        Err(Error::Device {
            device: self.to_string(),
            problem: "this build does not compute on it",
            mend: format!("build with --features {self}, or choose cpu"),
        })
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Device {
    type Err = Error;

    /// Takes a device's name.
    ///
    /// # Errors
    /// `Error::Device` for any other text.
    fn from_str(name: &str) -> Result<Self, Error> {
        let found = Self::ALL.into_iter().find(|device| device.name() == name);
        found.ok_or_else(|| Error::Device {
            device: name.to_owned(),
            problem: "there is no such device",
            mend: format!("choose from: {}", Self::ALL.map(Self::name).join(", ")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_written() {
        for device in Device::ALL {
            assert_eq!(device.to_string().parse::<Device>().unwrap(), device);
            let json = serde_json::to_string(&device).unwrap();
            assert_eq!(json, format!("\"{device}\""));
            assert_eq!(serde_json::from_str::<Device>(&json).unwrap(), device);
        }
        let error = "abacus".parse::<Device>().unwrap_err().to_string();
        assert!(
            error.contains("abacus") && error.contains("cpu, cuda"),
            "{error}"
        );
    }

    #[test]
    fn what_the_build_lacks_is_refused() {
        assert_eq!(Device::built().next(), Some(Device::Cpu));
        for device in Device::ALL {
            match device.check() {
                Ok(()) => assert!(Device::built().any(|built| built == device)),
                Err(error) => {
                    let text = error.to_string();
                    assert!(text.contains(&format!("--features {device}")), "{text}");
                }
            }
        }
    }
}
