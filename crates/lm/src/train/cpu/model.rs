//! The model: its parameters, and its layers packed for products.

use std::path::Path;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::attention::{self, Shape};
use super::buffer::Plain;
use super::linear::Packed;
use super::number::{Number, PANEL};
use super::parameter::Parameter;
use super::tape::{Scratch, Tape};
use crate::config::Config;
use crate::cpu::{Pool, Rope};
use crate::error::{Error, Fault};
use crate::llama::{Layer as Tensors, Llama};
use crate::tensor::{Tensor, Weight};
use crate::train::lora::{self, Lora};
use crate::train::{Learns, Options};

/// A model that learns, with products of `E`.
pub struct Model<E> {
    pub config: Config,
    pub options: Options,
    pub shape: Shape,
    pub rope: Rope,
    /// The model's tensors in the order of [`Llama`], then the adapters', then the value head's.
    pub parameters: Vec<Parameter>,
    /// Which of them are what.
    pub names: Llama<usize>,
    /// The value head's weight; its bias follows.
    pub values: Option<usize>,
    pub layers: Vec<Layer<E>>,
    /// Makes the logits.
    pub head: Packed<E>,
    /// The part of a tied embedding's gradient that comes from the logits: kept apart, so that how trees are spread over calls does
    /// not change the order of sums.
    pub tied: Vec<f32>,
    /// Updates so far.
    pub updates: u64,
    pub tape: Tape<E>,
    pub scratch: Pool<Scratch<E>>,
    pub attention: Pool<attention::Scratch<E>>,
}

/// A layer's linear parts.
pub struct Layer<E> {
    pub query: Linear<E>,
    pub key: Linear<E>,
    pub value: Linear<E>,
    pub output: Linear<E>,
    pub gate: Linear<E>,
    pub up: Linear<E>,
    pub down: Linear<E>,
}

/// A linear layer.
pub struct Linear<E> {
    pub weight: usize,
    pub packed: Packed<E>,
    pub adapter: Option<Adapter<E>>,
}

/// A low-rank change of a linear layer.
pub struct Adapter<E> {
    /// The parameters A, `[rank, in]`, and B, `[out, rank]`.
    pub a: usize,
    pub b: usize,
    pub packed_a: Packed<E>,
    pub packed_b: Packed<E>,
    pub scale: f32,
}

/// Sizes that tiles cannot do.
fn fits(config: &Config) -> Result<(), Error> {
    let sizes = [
        ("head_dim", config.head_dim),
        ("hidden_size", config.hidden_size),
        ("intermediate_size", config.intermediate_size),
    ];
    for (field, size) in sizes {
        if !size.is_multiple_of(PANEL) {
            return Err(Error::Unsupported(Fault::new(
                Path::new("the model to train"),
                field,
                format!("is {size}"),
                format!("choose a model where it is a multiple of {PANEL}"),
            )));
        }
    }
    Ok(())
}

impl<E> Layer<E> {
    pub fn linears(&self) -> [&Linear<E>; 7] {
        [
            &self.query,
            &self.key,
            &self.value,
            &self.output,
            &self.gate,
            &self.up,
            &self.down,
        ]
    }

    fn linears_mut(&mut self) -> [&mut Linear<E>; 7] {
        [
            &mut self.query,
            &mut self.key,
            &mut self.value,
            &mut self.output,
            &mut self.gate,
            &mut self.up,
            &mut self.down,
        ]
    }
}

impl<E: Number + Plain> Model<E> {
    pub fn new<W: Weight>(
        config: &Config,
        weights: &Llama<W>,
        options: Options,
    ) -> Result<Self, Error> {
        config.check()?;
        fits(config)?;
        let file = Path::new("the weights to train");
        let weights = weights.checked(config, file)?;
        let all = options.learns == Learns::All;
        let mut parameters = Vec::new();
        let names = weights.try_map(|name, weight| {
            let tensor = Tensor {
                shape: weight.shape().to_vec(),
                data: weight.values()?.into_owned(),
            };
            let stride = tensor.shape.last().copied().unwrap_or(1);
            let mut parameter = Parameter::new(name.to_owned(), &tensor, stride, all);
            parameter.decays = tensor.shape.len() > 1;
            parameters.push(parameter);
            Ok::<_, Error>(parameters.len() - 1)
        })?;
        let adapters = match &options.learns {
            Learns::All => None,
            Learns::Lora(lora) => {
                lora.check()?;
                Some((*lora, ChaCha8Rng::seed_from_u64(lora.seed)))
            }
        };
        let mut maker = Maker {
            parameters,
            adapters,
        };
        let layers = names
            .layers
            .iter()
            .map(|layer| maker.layer(layer))
            .collect();
        let mut parameters = maker.parameters;
        let hidden = config.hidden_size;
        let values = options.values.then(|| {
            for (name, shape) in [
                ("value_head.weight", vec![1, hidden]),
                ("value_head.bias", vec![1]),
            ] {
                let len = shape.iter().product();
                let tensor = Tensor {
                    shape,
                    data: vec![0.0; len],
                };
                parameters.push(Parameter::new(name.to_owned(), &tensor, len, true));
            }
            parameters.len() - 2
        });
        let head_shape = (config.vocab_size, hidden);
        let tied = match all && config.tie_word_embeddings {
            true => config.vocab_size * hidden,
            false => 0,
        };
        let mut model = Self {
            shape: Shape {
                heads: config.num_attention_heads,
                kv_heads: config.num_key_value_heads,
                dim: config.head_dim,
            },
            rope: Rope::new(config.rope_frequencies()),
            config: config.clone(),
            options,
            parameters,
            names,
            values,
            layers,
            head: Packed::new(head_shape.0, head_shape.1),
            tied: vec![0.0; tied],
            updates: 0,
            tape: Tape::default(),
            scratch: Pool::default(),
            attention: Pool::default(),
        };
        model.pack(true);
        Ok(model)
    }

    /// Packs what an update changed, or all.
    pub fn pack(&mut self, all: bool) {
        let parameters = &self.parameters;
        let pack = |packed: &mut Packed<E>, id: usize| {
            let parameter = &parameters[id];
            if all || parameter.learning.is_some() {
                packed.pack(&parameter.values, parameter.stride);
            }
        };
        for layer in &mut self.layers {
            for linear in layer.linears_mut() {
                pack(&mut linear.packed, linear.weight);
                if let Some(adapter) = &mut linear.adapter {
                    pack(&mut adapter.packed_a, adapter.a);
                    pack(&mut adapter.packed_b, adapter.b);
                }
            }
        }
        pack(
            &mut self.head,
            self.names.head.unwrap_or(self.names.embedding),
        );
    }

    /// The values of a parameter.
    pub fn value(&self, id: usize) -> &[f32] {
        &self.parameters[id].values
    }

    pub fn epsilon(&self) -> f32 {
        self.config.rms_norm_eps as f32
    }

    /// Whether all of the model learns.
    pub fn learns_all(&self) -> bool {
        self.options.learns == Learns::All
    }
}

/// Makes layers, and the parameters of their adapters.
struct Maker {
    parameters: Vec<Parameter>,
    adapters: Option<(Lora, ChaCha8Rng)>,
}

impl Maker {
    fn layer<E: Number + Plain>(&mut self, layer: &Tensors<usize>) -> Layer<E> {
        Layer {
            query: self.linear(layer.query.weight),
            key: self.linear(layer.key.weight),
            value: self.linear(layer.value.weight),
            output: self.linear(layer.output),
            gate: self.linear(layer.gate),
            up: self.linear(layer.up),
            down: self.linear(layer.down),
        }
    }

    fn linear<E: Number + Plain>(&mut self, weight: usize) -> Linear<E> {
        let [outputs, inputs] = self.parameters[weight].shape[..] else {
            unreachable!("a matrix");
        };
        let name = self.parameters[weight].name.clone();
        let adapter = self.adapters.as_mut().map(|(lora, rng)| {
            let rank = lora.rank;
            let room = rank.next_multiple_of(PANEL);
            let bound = 1.0 / (inputs as f32).sqrt();
            let a = (0..rank * inputs).map(|_| bound * (2.0 * rng.random::<f32>() - 1.0));
            let a = Tensor {
                shape: vec![rank, inputs],
                data: a.collect(),
            };
            let b = Tensor {
                shape: vec![outputs, rank],
                data: vec![0.0; outputs * rank],
            };
            let [name_a, name_b] = lora::names(&name);
            let first = self.parameters.len();
            let mut a = Parameter::new(name_a, &a, inputs, true);
            // Rows of 0 up to a whole panel, which never change.
            a.pad_rows(room);
            self.parameters.push(a);
            self.parameters.push(Parameter::new(name_b, &b, room, true));
            Adapter {
                a: first,
                b: first + 1,
                packed_a: Packed::new(room, inputs),
                packed_b: Packed::new(outputs, room),
                scale: lora.scale(),
            }
        });
        Linear {
            weight,
            packed: Packed::new(outputs, inputs),
            adapter,
        }
    }
}

/// Bytes that a model needs to learn with batches of so many rows.
pub fn bytes<E>(config: &Config, options: &Options, rows: usize) -> u64 {
    let number = size_of::<E>() as u64;
    let all = config.parameters();
    let trained = match &options.learns {
        Learns::All => all,
        Learns::Lora(lora) => lora.parameters(config),
    };
    // Values and packed both ways; gradients and means.
    let weights = all * (4 + 2 * number) + trained * (16 + 2 * number);
    let hidden = config.hidden_size as u64;
    let inner = config.intermediate_size as u64;
    let queries = (config.num_attention_heads * config.head_dim) as u64;
    let width = queries + 2 * (config.num_key_value_heads * config.head_dim) as u64;
    let heads = config.num_attention_heads as u64;
    let raw = if config.qk_norm { 4 * width } else { 0 };
    let layer = 8 * hidden + number * (width + queries + 2 * inner) + 4 * heads + raw;
    let work =
        number * (4 * hidden + 3 * queries + 2 * width + 3 * inner) + 4 * (3 * hidden + width);
    let head = (super::head::ROWS * config.vocab_size) as u64 * (8 + 2 * number);
    weights + rows as u64 * (layer * config.num_hidden_layers as u64 + work) + head
}
