//! An adapter written to a folder.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::json;

use super::{base, taken_apart};
use crate::checkpoint::names::{ADAPTER, ADAPTER_CONFIG};
use crate::checkpoint::save::refuse_strangers;
use crate::error::{Error, Fault};
use crate::tensor::Tensor;
use crate::train::Lora;
use crate::whole;

/// Writes low-rank changes of a model as PEFT's `adapter_config.json` and `adapter_model.safetensors` (F32) into a folder of
/// their own, which [`Checkpoint::open`](crate::Checkpoint::open) and python's `peft` take.
///
/// `base` is the model that they change: a path, or a name that `samara model pull` takes. A path is written whole, `hf:ORG/NAME`
/// as `ORG/NAME`. `tensors` are those of [`Trainer::adapter`](crate::train::Trainer::adapter). The folder is replaced whole, as by
/// [`save`](crate::save).
///
/// # Errors
/// `Error::Tensor` for tensors that are no such changes, `Error::Unsupported` for a folder with other files than a model's or that
/// is the base's, which would be lost, `Error::Io`. What was there is as it was.
pub fn save_adapter(
    folder: &Path,
    base: &str,
    lora: &Lora,
    tensors: &[(String, Tensor)],
) -> Result<(), Error> {
    let modules = modules(folder, lora, tensors)?;
    refuse_strangers(folder)?;
    let folder = whole::place(folder)?;
    let base = base::written(base);
    // A name is no path.
    if Path::new(&base).starts_with(&folder) {
        let problem = "has the model that the adapter changes, which would be lost";
        let mend = "give another folder for the adapter";
        let fault = Fault::new(&folder, "the folder", problem, mend);
        return Err(Error::Unsupported(fault));
    }
    let alpha = match lora.alpha.fract() == 0.0 && lora.alpha < 1e6 {
        true => json!(lora.alpha as u64),
        false => json!(lora.alpha),
    };
    let config = json!({
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base,
        "r": lora.rank,
        "lora_alpha": alpha,
        "lora_dropout": 0.0,
        "target_modules": modules,
        "bias": "none",
        "fan_in_fan_out": false,
        "inference_mode": true,
        "init_lora_weights": true,
        "modules_to_save": null,
        "rank_pattern": {},
        "alpha_pattern": {},
        "use_rslora": false,
        "use_dora": false,
    });
    whole::replace(&folder, |part| {
        whole::write_tensors(&part.join(ADAPTER), tensors)?;
        let text = serde_json::to_string_pretty(&config).unwrap_or_default();
        whole::write_text(&part.join(ADAPTER_CONFIG), &text)
    })
}

/// The last parts of the changed layers' names.
fn modules(
    folder: &Path,
    lora: &Lora,
    tensors: &[(String, Tensor)],
) -> Result<BTreeSet<String>, Error> {
    lora.check()?;
    let fault = |name: &str, problem: String| {
        let mend = "give the changes of a trainer with these options";
        Error::Tensor(Fault::new(folder, format!("tensor {name}"), problem, mend))
    };
    let mut modules = BTreeSet::new();
    for (name, tensor) in tensors {
        let Some((module, half)) = taken_apart(name) else {
            return Err(fault(name, "is no low-rank change".to_owned()));
        };
        let whole = tensor.shape.iter().product::<usize>() == tensor.data.len();
        if !whole || tensor.shape.len() != 2 || tensor.shape[half] != lora.rank {
            let problem = format!("of shape {:?} is not of rank {}", tensor.shape, lora.rank);
            return Err(fault(name, problem));
        }
        let last = module.rsplit('.').next().unwrap_or(module);
        modules.insert(last.to_owned());
    }
    match modules.is_empty() {
        true => Err(fault("lora_A", "is missing: nothing changes".to_owned())),
        false => Ok(modules),
    }
}
