//! A small residual convolutional network (He et al. 2016) over one picture, forward and backward, and the step that trains it.
//!
//! It sees a handful of pictures an update, so plain loops do; every sum has one order.

use lm::Tensor;
use lm::train::{Adam, Step};
use rand::{Rng, RngExt};

/// A value drawn from a normal distribution of deviation 1 (Box and Muller 1958).
pub fn normal(rng: &mut impl Rng) -> f32 {
    let (a, b): (f64, f64) = (1.0 - rng.random::<f64>(), rng.random());
    ((-2.0 * libm::log(a)).sqrt() * libm::cos(std::f64::consts::TAU * b)) as f32
}

/// What learns: tensors by name, with what Adam needs of each.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parameters {
    all: Vec<Parameter>,
    updates: u64,
}

#[derive(Clone, Debug, PartialEq)]
struct Parameter {
    name: String,
    shape: Vec<usize>,
    values: Vec<f32>,
    /// Of the objective, since the last update.
    gradient: Vec<f32>,
    mean: Vec<f32>,
    square: Vec<f32>,
}

/// What the tensors of Adam's means begin with.
const MEANS: [&str; 2] = ["adam.mean.", "adam.square."];
const UPDATES: &str = "adam.updates";

impl Parameters {
    /// Adds a tensor; returns its place.
    pub fn add(&mut self, name: &str, shape: &[usize], mut value: impl FnMut() -> f32) -> usize {
        let count = shape.iter().product();
        self.all.push(Parameter {
            name: name.to_owned(),
            shape: shape.to_vec(),
            values: (0..count).map(|_| value()).collect(),
            gradient: vec![0.0; count],
            mean: vec![0.0; count],
            square: vec![0.0; count],
        });
        self.all.len() - 1
    }

    /// The values of a tensor.
    pub fn values(&self, place: usize) -> &[f32] {
        &self.all[place].values
    }

    /// The values of a tensor, to be set.
    #[cfg(test)]
    fn values_mut(&mut self, place: usize) -> &mut [f32] {
        &mut self.all[place].values
    }

    /// The gathered gradient of a tensor.
    pub fn gradient(&mut self, place: usize) -> &mut [f32] {
        &mut self.all[place].gradient
    }

    /// One step of Adam up the gathered gradient, which is empty afterwards; returns its norm before it was clipped. One that is no number is dropped.
    pub fn update(&mut self, adam: Adam, step: Step) -> f32 {
        let squares = self.all.iter().flat_map(|p| &p.gradient);
        let norm = squares
            .map(|g| f64::from(*g) * f64::from(*g))
            .sum::<f64>()
            .sqrt();
        let factor = match norm > f64::from(step.clip) {
            true => (f64::from(step.clip) / norm) as f32,
            false => 1.0,
        };
        if norm.is_finite() {
            self.updates += 1;
        }
        let power = |beta: f32| 1.0 - libm::pow(f64::from(beta), self.updates.max(1) as f64);
        let size = (f64::from(step.rate) / power(adam.beta1)) as f32;
        let root = power(adam.beta2).sqrt() as f32;
        for parameter in &mut self.all {
            let Parameter {
                values,
                gradient,
                mean,
                square,
                ..
            } = parameter;
            let each = values.iter_mut().zip(gradient).zip(mean).zip(square);
            for (((value, gradient), mean), square) in each {
                let g = std::mem::take(gradient) * factor;
                if !norm.is_finite() {
                    continue;
                }
                *mean = adam.beta1 * *mean + (1.0 - adam.beta1) * g;
                *square = adam.beta2 * *square + (1.0 - adam.beta2) * g * g;
                *value += size * *mean / (square.sqrt() / root + adam.epsilon);
            }
        }
        norm as f32
    }

    /// The tensors by name.
    pub fn tensors(&self) -> Vec<(String, Tensor)> {
        let tensor = |p: &Parameter, data: &[f32]| Tensor {
            shape: p.shape.clone(),
            data: data.to_vec(),
        };
        let all = self.all.iter();
        all.map(|p| (p.name.clone(), tensor(p, &p.values)))
            .collect()
    }

    /// The tensors, Adam's means and the count of updates.
    pub fn state(&self) -> Vec<(String, Tensor)> {
        let mut state = self.tensors();
        for p in &self.all {
            for (kind, data) in MEANS.iter().zip([&p.mean, &p.square]) {
                let tensor = Tensor {
                    shape: p.shape.clone(),
                    data: data.clone(),
                };
                state.push((format!("{kind}{}", p.name), tensor));
            }
        }
        let updates = Tensor {
            shape: vec![1],
            data: vec![self.updates as f32],
        };
        state.push((UPDATES.to_owned(), updates));
        state
    }

    /// Takes tensors, and what of a state there is, back by name.
    ///
    /// # Errors
    /// The name of one that is missing or has another shape.
    pub fn restore(&mut self, state: &[(String, Tensor)]) -> Result<(), String> {
        let find = |name: &str| state.iter().find(|(own, _)| own == name).map(|(_, t)| t);
        for p in &mut self.all {
            let tensor = find(&p.name).filter(|tensor| tensor.shape == p.shape);
            let Some(tensor) = tensor.filter(|t| t.data.iter().all(|x| x.is_finite())) else {
                return Err(p.name.clone());
            };
            p.values.clone_from(&tensor.data);
            for (kind, mean) in MEANS.iter().zip([&mut p.mean, &mut p.square]) {
                match find(&format!("{kind}{}", p.name)) {
                    Some(tensor) if tensor.shape == p.shape => mean.clone_from(&tensor.data),
                    _ => mean.fill(0.0),
                }
            }
        }
        let updates = find(UPDATES).and_then(|tensor| tensor.data.first().copied());
        self.updates = updates.unwrap_or_default() as u64;
        Ok(())
    }
}

/// Values of so many channels of so many rows and columns.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Field {
    shape: [usize; 3],
    data: Vec<f32>,
}

impl Field {
    fn new(shape: [usize; 3]) -> Self {
        Self {
            data: vec![0.0; shape.iter().product()],
            shape,
        }
    }

    /// A picture of one channel, rows from the top.
    pub fn picture(height: usize, width: usize, data: Vec<f32>) -> Self {
        Self {
            shape: [1, height, width],
            data,
        }
    }
}

/// A convolution of 3 x 3 with a margin of one.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Conv {
    weight: usize,
    bias: usize,
    inputs: usize,
    outputs: usize,
    stride: usize,
}

impl Conv {
    fn new(
        all: &mut Parameters,
        name: &str,
        [inputs, outputs, stride]: [usize; 3],
        size: f32,
        rng: &mut impl Rng,
    ) -> Self {
        // He et al. 2015: deviation root of 2 by the inputs of a value.
        let deviation = size * (2.0 / (9 * inputs) as f32).sqrt();
        let shape = [outputs, inputs, 3, 3];
        Self {
            weight: all.add(&format!("{name}.weight"), &shape, || {
                deviation * normal(rng)
            }),
            bias: all.add(&format!("{name}.bias"), &[outputs], || 0.0),
            inputs,
            outputs,
            stride,
        }
    }

    /// Calls `each` with every run of products along a row: where it begins in the output, the input and the weight, and how long it is. In the input
    /// places are `stride` apart.
    fn runs(&self, [_, rows, columns]: [usize; 3], mut each: impl FnMut([usize; 3], usize)) {
        let (high, wide) = (rows.div_ceil(self.stride), columns.div_ceil(self.stride));
        for output in 0..self.outputs {
            for input in 0..self.inputs {
                for (dy, dx) in (0..9).map(|at| (at / 3, at % 3)) {
                    let at = ((output * self.inputs + input) * 3 + dy) * 3 + dx;
                    // The margin holds nothing: row and column 0 of the window are before the first.
                    let first = usize::from(dx == 0).div_ceil(self.stride);
                    let last = ((columns + 1 - dx).div_ceil(self.stride)).min(wide);
                    for y in 0..high {
                        let row = y * self.stride + dy;
                        if !(1..=rows).contains(&row) || first >= last {
                            continue;
                        }
                        let to = (output * high + y) * wide + first;
                        let column = first * self.stride + dx - 1;
                        let from = (input * rows + row - 1) * columns + column;
                        each([to, from, at], last - first);
                    }
                }
            }
        }
    }

    fn forward(&self, all: &Parameters, input: &Field) -> Field {
        let [_, rows, columns] = input.shape;
        let (high, wide) = (rows.div_ceil(self.stride), columns.div_ceil(self.stride));
        let mut output = Field::new([self.outputs, high, wide]);
        let channels = output.data.chunks_exact_mut(high * wide);
        for (channel, bias) in channels.zip(all.values(self.bias)) {
            channel.fill(*bias);
        }
        let weight = all.values(self.weight);
        self.runs(input.shape, |[to, from, at], count| {
            let (out, own) = (&mut output.data[to..to + count], weight[at]);
            match self.stride {
                1 => (out.iter_mut().zip(&input.data[from..])).for_each(|(o, x)| *o += own * x),
                n => (out.iter_mut().zip(input.data[from..].iter().step_by(n)))
                    .for_each(|(o, x)| *o += own * x),
            }
        });
        output
    }

    /// Adds the gradients of weight and bias; returns the input's.
    fn backward(&self, all: &mut Parameters, input: &Field, gradient: &Field) -> Field {
        let mut before = Field::new(input.shape);
        let weight = all.values(self.weight);
        self.runs(input.shape, |[to, from, at], count| {
            let (out, own) = (&gradient.data[to..to + count], weight[at]);
            match self.stride {
                1 => (before.data[from..].iter_mut().zip(out)).for_each(|(b, g)| *b += own * g),
                n => (before.data[from..].iter_mut().step_by(n).zip(out))
                    .for_each(|(b, g)| *b += own * g),
            }
        });
        let own = all.gradient(self.weight);
        self.runs(input.shape, |[to, from, at], count| {
            let out = gradient.data[to..to + count].iter();
            let products = out.zip(input.data[from..].iter().step_by(self.stride));
            own[at] += products.map(|(g, x)| g * x).sum::<f32>();
        });
        let [_, high, wide] = gradient.shape;
        let channels = gradient.data.chunks_exact(high * wide);
        for (own, channel) in all.gradient(self.bias).iter_mut().zip(channels) {
            *own += channel.iter().sum::<f32>();
        }
        before
    }
}

fn rectified(field: &Field) -> Field {
    Field {
        shape: field.shape,
        data: field.data.iter().map(|x| x.max(0.0)).collect(),
    }
}

/// Lets a gradient through where the value was above 0.
fn through(field: &Field, mut gradient: Field) -> Field {
    for (gradient, value) in gradient.data.iter_mut().zip(&field.data) {
        if *value <= 0.0 {
            *gradient = 0.0;
        }
    }
    gradient
}

/// Channels of the stages; each halves rows and columns.
const STAGES: [usize; 4] = [16, 32, 32, 32];

/// The network: at each stage a convolution that halves the picture and a residual block of two; then one linear layer.
#[derive(Clone, Debug, PartialEq)]
pub struct Net {
    stages: Vec<[Conv; 3]>,
    weight: usize,
    bias: usize,
    /// Values that the linear layer reads, and gives.
    inputs: usize,
    outputs: usize,
}

/// What a forward pass keeps for the backward one.
#[derive(Clone, Debug, Default)]
pub struct Tape {
    /// Of each stage: its input, then what came after each of its convolutions, and after the sum.
    stages: Vec<[Field; 5]>,
    last: Field,
}

impl Net {
    /// For pictures of so many rows and columns, with so many outputs, which begin near `bias`.
    pub fn new(
        all: &mut Parameters,
        [rows, columns]: [usize; 2],
        bias: &[f32],
        deviation: f32,
        rng: &mut impl Rng,
    ) -> Self {
        let mut inputs = 1;
        let (mut high, mut wide) = (rows, columns);
        let mut stages = Vec::new();
        for (at, outputs) in STAGES.into_iter().enumerate() {
            let name = |part: &str| format!("stages.{at}.{part}");
            stages.push([
                Conv::new(all, &name("halve"), [inputs, outputs, 2], 1.0, rng),
                Conv::new(all, &name("first"), [outputs, outputs, 1], 1.0, rng),
                // A block begins near the identity (Zhang et al. 2019).
                Conv::new(all, &name("second"), [outputs, outputs, 1], 0.1, rng),
            ]);
            (inputs, high, wide) = (outputs, high.div_ceil(2), wide.div_ceil(2));
        }
        let inputs = inputs * high * wide;
        let size = deviation / (inputs as f32).sqrt();
        let outputs = bias.len();
        let mut values = bias.iter();
        Self {
            weight: all.add("linear.weight", &[outputs, inputs], || size * normal(rng)),
            bias: all.add("linear.bias", &[outputs], || *values.next().unwrap_or(&0.0)),
            stages,
            inputs,
            outputs,
        }
    }

    /// The outputs for a picture.
    pub fn forward(&self, all: &Parameters, picture: &Field) -> (Vec<f32>, Tape) {
        let mut tape = Tape::default();
        let mut x = picture.clone();
        for [halve, first, second] in &self.stages {
            let input = x;
            let halved = halve.forward(all, &input);
            let middle = first.forward(all, &rectified(&halved));
            let change = second.forward(all, &rectified(&middle));
            let mut sum = rectified(&halved);
            sum.data
                .iter_mut()
                .zip(&change.data)
                .for_each(|(x, d)| *x += d);
            x = rectified(&sum);
            tape.stages.push([input, halved, middle, change, sum]);
        }
        let bias = all.values(self.bias);
        let weight = all.values(self.weight).chunks_exact(self.inputs);
        let outputs = bias.iter().zip(weight).map(|(bias, weight)| {
            let products = weight.iter().zip(&x.data).map(|(w, x)| w * x);
            bias + products.sum::<f32>()
        });
        let outputs = outputs.collect();
        tape.last = x;
        (outputs, tape)
    }

    /// Adds the gradient of an objective of which this is the outputs' gradient.
    pub fn backward(&self, all: &mut Parameters, tape: &Tape, gradient: &[f32]) {
        debug_assert_eq!(gradient.len(), self.outputs);
        let mut dx = Field::new(tape.last.shape);
        for (weight, g) in all
            .values(self.weight)
            .chunks_exact(self.inputs)
            .zip(gradient)
        {
            dx.data
                .iter_mut()
                .zip(weight)
                .for_each(|(dx, w)| *dx += w * g);
        }
        let own = all.gradient(self.weight).chunks_exact_mut(self.inputs);
        for (own, g) in own.zip(gradient) {
            own.iter_mut()
                .zip(&tape.last.data)
                .for_each(|(own, x)| *own += x * g);
        }
        all.gradient(self.bias)
            .iter_mut()
            .zip(gradient)
            .for_each(|(own, g)| *own += g);
        for ([halve, first, second], [input, halved, middle, _, sum]) in
            self.stages.iter().zip(&tape.stages).rev()
        {
            let dsum = through(sum, dx);
            let dmiddle = second.backward(all, &rectified(middle), &dsum);
            let dfirst = first.backward(all, &rectified(halved), &through(middle, dmiddle));
            let mut both = dsum;
            both.data
                .iter_mut()
                .zip(&dfirst.data)
                .for_each(|(x, d)| *x += d);
            dx = halve.backward(all, input, &through(halved, both));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    fn small() -> (Parameters, Net, Field) {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let mut all = Parameters::default();
        let net = Net::new(&mut all, [6, 10], &[0.5, -0.25, 0.0], 1.0, &mut rng);
        // Away from rectifiers' corners, which have no slope.
        for place in 0..all.all.len() {
            let values = all.values_mut(place).iter_mut();
            values.for_each(|x| *x += 0.05 * normal(&mut rng));
        }
        let data = (0..60).map(|_| rng.random::<f32>()).collect();
        (all, net, Field::picture(6, 10, data))
    }

    /// Of the objective 2a - b + c/2 over the outputs.
    const OBJECTIVE: [f32; 3] = [2.0, -1.0, 0.5];

    fn value(all: &Parameters, net: &Net, picture: &Field) -> f64 {
        let (outputs, _) = net.forward(all, picture);
        let products = outputs.iter().zip(OBJECTIVE);
        products.map(|(x, w)| f64::from(*x) * f64::from(w)).sum()
    }

    /// Every product of a window that lies in the picture comes once, and no other.
    #[test]
    fn runs_cover_every_window() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for (rows, columns, stride) in [
            (5_usize, 7_usize, 1),
            (5, 7, 2),
            (6, 8, 2),
            (1, 1, 1),
            (1, 2, 2),
        ] {
            let conv = Conv::new(
                &mut Parameters::default(),
                "",
                [2, 3, stride],
                1.0,
                &mut rng,
            );
            let (high, wide) = (rows.div_ceil(stride), columns.div_ceil(stride));
            let mut wanted = Vec::new();
            for at in 0..3 * 2 * 9 {
                let (output, input, dy, dx) = (at / 18, at / 9 % 2, at / 3 % 3, at % 3);
                for (y, x) in (0..high * wide).map(|n| (n / wide, n % wide)) {
                    let (row, column) = (y * stride + dy, x * stride + dx);
                    if (1..=rows).contains(&row) && (1..=columns).contains(&column) {
                        let from = (input * rows + row - 1) * columns + column - 1;
                        wanted.push([(output * high + y) * wide + x, from, at]);
                    }
                }
            }
            let mut found = Vec::new();
            conv.runs([2, rows, columns], |[to, from, at], count| {
                found.extend((0..count).map(|n| [to + n, from + n * stride, at]));
            });
            wanted.sort_unstable();
            found.sort_unstable();
            assert_eq!(found, wanted, "{rows} {columns} {stride}");
        }
    }

    /// Finite differences are the judge of every tensor's gradient.
    #[test]
    fn the_gradient_is_the_slope() {
        let (mut all, net, picture) = small();
        let (_, tape) = net.forward(&all, &picture);
        net.backward(&mut all, &tape, &OBJECTIVE);
        let step = 1e-3;
        for place in 0..all.all.len() {
            let count = all.values(place).len();
            for at in (0..count).step_by(count.div_ceil(7)) {
                let found = all.gradient(place)[at];
                let mut other = all.clone();
                other.values_mut(place)[at] += step;
                let above = value(&other, &net, &picture);
                other.values_mut(place)[at] -= 2.0 * step;
                let below = value(&other, &net, &picture);
                let slope = ((above - below) / f64::from(2.0 * step)) as f32;
                let name = &all.all[place].name;
                // A rectifier's corner may lie between.
                let near = 0.02 * slope.abs().max(found.abs()) + 2e-3;
                assert!(
                    (slope - found).abs() < near,
                    "{name} {at}: {found} is {slope}"
                );
            }
        }
    }

    #[test]
    fn steps_climb_and_are_taken_up_again() {
        let (mut all, net, picture) = small();
        let step = Step {
            rate: 3e-3,
            decay: 0.0,
            clip: 1.0,
        };
        let climb = |all: &mut Parameters| {
            let (_, tape) = net.forward(all, &picture);
            net.backward(all, &tape, &OBJECTIVE);
            all.update(Adam::default(), step)
        };
        let before = value(&all, &net, &picture);
        for _ in 0..5 {
            assert!(climb(&mut all) > 0.0);
        }
        assert!(value(&all, &net, &picture) > before + 0.1);
        let (mut other, ..) = small();
        other.restore(&all.state()).unwrap();
        assert_eq!(other, all);
        climb(&mut all);
        climb(&mut other);
        assert_eq!(other, all);
        let mut broken = all.state();
        broken.retain(|(name, _)| name != "linear.bias");
        assert_eq!(other.restore(&broken), Err("linear.bias".to_owned()));
    }

    #[test]
    fn a_gradient_that_is_no_number_changes_nothing() {
        let (mut all, net, picture) = small();
        let before = all.tensors();
        let (_, tape) = net.forward(&all, &picture);
        net.backward(&mut all, &tape, &[f32::NAN, 0.0, 0.0]);
        let step = Step {
            rate: 1.0,
            decay: 0.0,
            clip: 1.0,
        };
        assert!(all.update(Adam::default(), step).is_nan());
        assert_eq!(all.tensors(), before);
        assert!(all.all.iter().all(|p| p.gradient.iter().all(|g| *g == 0.0)));
    }
}
