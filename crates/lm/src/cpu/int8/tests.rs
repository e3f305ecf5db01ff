//! Products of 8 bits with every kind of vectors.

use super::super::vectors::test::with_each;
use super::*;

fn value(i: usize) -> f32 {
    ((i * 7919 % 2003) as f32 - 1001.0) / 137.0
}

fn activations(x: &[f32], inputs: usize) -> Activations {
    let mut activations = Activations::default();
    activations.fill(x, inputs);
    activations
}

fn product(weights: &Weights, x: &Activations, panels: usize) -> Vec<f32> {
    let width = panels * PANEL;
    let mut data = vec![f32::NAN; x.data.len() / (x.blocks * BLOCK) * width];
    let out = Columns::new(data.chunks_exact_mut(width), width);
    // SAFETY: nobody else has the columns.
    unsafe { weights.product(x, 0..panels, &out) };
    data
}

#[test]
fn the_product_is_near_and_the_same_in_every_tile_and_kernel() {
    for (rows, outputs, inputs) in [
        (9, 40, 96),
        (1, 16, 32),
        (5, 7, 50),
        (1, 33, 1),
        (2, 64, 31),
        (3, 80, 33),
        (7, 32, 576),
        (4, 1, 64),
    ] {
        let w: Vec<f32> = (0..outputs * inputs).map(value).collect();
        let x: Vec<f32> = (0..rows * inputs).map(|i| value(i + 77)).collect();
        let panels = outputs.div_ceil(PANEL);
        let all = with_each(|| {
            let weights = Weights::new(&w, outputs, inputs, &Memory::default());
            let all = product(&weights, &activations(&x, inputs), panels);
            for (x, all) in x.chunks(inputs).zip(all.chunks(panels * PANEL)) {
                assert_eq!(product(&weights, &activations(x, inputs), panels), all);
            }
            all
        });
        for (kind, other) in &all {
            assert!(*other == all[0].1, "{rows} {outputs} {inputs} {kind:?}");
        }
        let all = &all[0].1;
        for row in 0..rows {
            let x = &x[row * inputs..][..inputs];
            for output in 0..outputs {
                let w = &w[output * inputs..][..inputs];
                let right: f32 = x.iter().zip(w).map(|(x, w)| x * w).sum();
                let size: f32 = x.iter().zip(w).map(|(x, w)| (x * w).abs()).sum();
                assert!((all[row * panels * PANEL + output] - right).abs() < 0.01 * size);
            }
        }
    }
}

/// The largest sums there can be, of either sign, with scales from none to huge.
#[test]
fn extremes_do_not_overflow_and_the_kernels_agree() {
    let (outputs, inputs, rows) = (3 * PANEL, 256, TILE + 1);
    let sign = |i: usize, n: usize| if i.is_multiple_of(n) { -1.0 } else { 1.0 };
    for (w_every, x_every) in [(3, 5), (1, 1), (1, usize::MAX), (usize::MAX, usize::MAX)] {
        for (w_size, x_size) in [(1.0, 9.0), (1e-30, 1e30), (0.0, 1.0), (1e20, 1e25)] {
            let w: Vec<f32> = (0..outputs * inputs)
                .map(|i| w_size * sign(i + 1, w_every))
                .collect();
            let x: Vec<f32> = (0..rows * inputs)
                .map(|i| x_size * sign(i + 1, x_every))
                .collect();
            let all = with_each(|| {
                let weights = Weights::new(&w, outputs, inputs, &Memory::default());
                product(&weights, &activations(&x, inputs), outputs / PANEL)
            });
            let right: f64 = (w.iter().zip(&x).take(inputs))
                .map(|(w, x)| f64::from(*w) * f64::from(*x))
                .sum();
            let got = all[0].1[0];
            let off = (f64::from(got) - right).abs();
            assert!(
                off <= 1e-3 * right.abs() || got.is_infinite(),
                "{got} {right}"
            );
            let bits = |all: &[f32]| all.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
            for (kind, other) in &all {
                assert!(
                    bits(other) == bits(&all[0].1),
                    "{w_every} {x_every} {kind:?}"
                );
            }
        }
    }
}

/// Values and scales as no rounding may have made them, since each is in range.
#[test]
fn the_kernels_agree_on_any_values() {
    let mut state = 1u64;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) as i32
    };
    for (rows, panels, blocks) in [(4, 2, 1), (3, 1, 7), (2, 2, 3), (1, 2, 18), (1, 1, 2)] {
        let mut values =
            |count| -> Vec<i8> { (0..count).map(|_| (next() % 255 - 127) as i8).collect() };
        let data = values(panels * blocks * BLOCK_BYTES);
        let x = values(rows * blocks * BLOCK);
        let mut scales = |count| -> Vec<f32> { (0..count).map(|_| next() as f32 * 1e-9).collect() };
        let memory = Memory::default();
        let weights = Weights {
            data: memory.keep(&data),
            scales: memory.keep(&scales(panels * blocks * PANEL)),
            blocks,
        };
        let sum = |block: &[i8]| block.iter().map(|x| i32::from(*x)).sum::<i32>();
        let x = Activations {
            excess: x.chunks_exact(BLOCK).map(|x| -128 * sum(x)).collect(),
            data: x,
            scales: scales(rows * blocks),
            blocks,
        };
        let all = with_each(|| product(&weights, &x, panels));
        for (kind, other) in &all {
            assert!(*other == all[0].1, "{rows} {panels} {blocks} {kind:?}");
        }
    }
}

#[test]
fn what_is_no_number_shows_in_the_product() {
    let weights = Weights::new(&[1.0; 16 * 70], 16, 70, &Memory::default());
    for at in [0, 15, 31, 40, 63, 69] {
        for bad in [f32::NAN, f32::INFINITY] {
            let mut x = vec![0.5; 2 * 70];
            x[at] = bad;
            for (kind, sums) in with_each(|| product(&weights, &activations(&x, 70), 1)) {
                let (first, second) = sums.split_at(16);
                assert!(
                    first.iter().all(|x| !x.is_finite()),
                    "{bad} at {at}, {kind:?}"
                );
                assert!(second.iter().all(|x| x.is_finite()));
            }
        }
    }
}
