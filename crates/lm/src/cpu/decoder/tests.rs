//! The decoder with every kind of vectors.

use super::super::vectors::test::with_each;
use super::*;
use crate::tensor::Tensor;

/// Sizes that fill no tile, block or part evenly; a prompt, then texts of several lengths after it.
#[test]
fn the_vectors_of_the_machine_do_not_show() {
    let config = Config {
        vocab_size: 77,
        hidden_size: 80,
        intermediate_size: 50,
        num_hidden_layers: 2,
        num_attention_heads: 6,
        num_key_value_heads: 2,
        head_dim: 16,
        attention_bias: true,
        ..Config::preset("0.1m").expect("a preset")
    };
    let weights = |name: &str, shape: &[usize]| -> Vec<f32> {
        let seed = name.bytes().map(usize::from).sum::<usize>();
        let value = |i: usize| ((i * 7919 + seed * 31) % 2003) as f32 / 1001.0 - 1.0;
        (0..shape.iter().product()).map(value).collect()
    };
    for precision in [Precision::Int8, Precision::F32] {
        let weights = Llama::shapes(&config).map(|name, shape| Tensor {
            data: weights(name, &shape),
            shape,
        });
        let mut decoder = Decoder::new(&config, &weights, precision).unwrap();
        let all = with_each(|| {
            let prompt: Vec<u32> = (0..75).map(|i| i * 5 % 77).collect();
            let mut shared = decoder.cache();
            let mut logits = decoder.forward(&mut [Feed {
                vectors: &[],
                tokens: &prompt,
                shared: None,
                own: &mut shared,
                logits: 3,
            }]);
            let mut own: Vec<Cache> = (0..37).map(|_| decoder.cache()).collect();
            for step in 0..3 {
                let mut feeds = Vec::new();
                for (row, own) in own.iter_mut().enumerate() {
                    feeds.push(Feed {
                        vectors: &[],
                        tokens: &prompt[row..][..1 + (row + step) % 3],
                        shared: (row % 5 > 0).then_some((&shared, 75 - row)),
                        own,
                        logits: 1,
                    });
                }
                logits.extend(decoder.forward(&mut feeds));
            }
            let bits = logits.iter().flatten().map(|x| x.to_bits());
            bits.collect::<Vec<_>>()
        });
        assert!(f32::from_bits(all[0].1[0]).is_finite());
        for (kind, bits) in &all {
            assert!(*bits == all[0].1, "{precision:?} {kind:?}");
        }
    }
}
