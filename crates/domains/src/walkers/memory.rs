//! Answers that are remembered: of a function of its argument alone, so that nobody can tell but by the clock.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What was answered lately, in bounded memory. Keys are compared as a whole.
pub(super) struct Memory<K, V> {
    generations: Mutex<Generations<K, V>>,
    /// What each of the two generations may take, in bytes.
    budget: usize,
    /// What an answer takes, in bytes; nothing if it is not to be remembered.
    size: fn(&K, &V) -> Option<usize>,
}

/// Answers go into the young generation. When it is full it becomes the old one, and what the old one held is forgotten.
struct Generations<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
    /// What the young one takes, in bytes.
    taken: usize,
}

impl<K: Hash + Eq, V: Clone> Memory<K, V> {
    /// A memory of at most so many bytes, as `size` counts them.
    pub fn new(bytes: usize, size: fn(&K, &V) -> Option<usize>) -> Self {
        Memory {
            generations: Mutex::new(Generations {
                young: HashMap::new(),
                old: HashMap::new(),
                taken: 0,
            }),
            budget: bytes / 2,
            size,
        }
    }

    /// One answer for each question, in order. `work` answers those that nothing is known of, each of them once and all
    /// in one call; the first to ask such a question gets `true` beside the answer.
    pub fn recall<'a, Q>(
        &self,
        asked: &[&'a Q],
        work: impl FnOnce(&[&'a Q]) -> Vec<V>,
    ) -> Vec<(V, bool)>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        let mut answers: HashMap<&Q, Option<(V, bool)>> = HashMap::with_capacity(asked.len());
        let mut unknown = Vec::new();
        let generations = self.lock();
        for &question in asked {
            answers.entry(question).or_insert_with(|| {
                let known = generations.get(question).map(|answer| (answer, false));
                if known.is_none() {
                    unknown.push(question);
                }
                known
            });
        }
        drop(generations);
        let found = work(&unknown);
        assert_eq!(found.len(), unknown.len(), "one answer for each question");
        let mut generations = self.lock();
        for (question, answer) in unknown.into_iter().zip(found) {
            let key = question.to_owned();
            if let Some(size) = (self.size)(&key, &answer) {
                generations.keep(key, answer.clone(), size, self.budget);
            }
            answers.insert(question, Some((answer, true)));
        }
        drop(generations);
        let answer = |question| {
            let (answer, first) = answers.get_mut(question)?.as_mut()?;
            Some((answer.clone(), std::mem::take(first)))
        };
        asked.iter().copied().filter_map(answer).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Generations<K, V>> {
        self.generations
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Hash + Eq, V: Clone> Generations<K, V> {
    fn get<Q: Hash + Eq + ?Sized>(&self, question: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let young = self.young.get(question);
        young.or_else(|| self.old.get(question)).cloned()
    }

    fn keep(&mut self, key: K, answer: V, size: usize, budget: usize) {
        if size > budget {
            return;
        }
        if self.taken + size > budget {
            self.old = std::mem::take(&mut self.young);
            self.taken = 0;
        }
        self.taken += size;
        self.young.insert(key, answer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lengths(bytes: usize) -> Memory<String, usize> {
        Memory::new(bytes, |text, _| (text != "never").then_some(text.len()))
    }

    /// Asks for the lengths of texts: the answers, and which texts had to be measured.
    fn ask(memory: &Memory<String, usize>, asked: &[&str]) -> (Vec<(usize, bool)>, Vec<String>) {
        let mut measured = Vec::new();
        let answers = memory.recall(asked, |unknown| {
            measured = unknown.iter().map(|text| (*text).to_owned()).collect();
            unknown.iter().map(|text| text.len()).collect()
        });
        (answers, measured)
    }

    #[test]
    fn what_is_known_is_not_asked_again() {
        let memory = lengths(100);
        let (answers, measured) = ask(&memory, &["a", "bcd", "a"]);
        assert_eq!(answers, [(1, true), (3, true), (1, false)]);
        assert_eq!(measured, ["a", "bcd"]);
        let (answers, measured) = ask(&memory, &["bcd", "ef"]);
        assert_eq!(answers, [(3, false), (2, true)]);
        assert_eq!(measured, ["ef"]);
        assert!(ask(&memory, &[]).0.is_empty());
    }

    #[test]
    fn what_is_not_to_be_remembered_is_asked_again() {
        let memory = lengths(100);
        for _ in 0..2 {
            let (answers, measured) = ask(&memory, &["never", "never"]);
            assert_eq!(answers, [(5, true), (5, false)]);
            assert_eq!(measured, ["never"]);
        }
    }

    #[test]
    fn the_memory_is_bounded() {
        let memory = lengths(100);
        for i in 0..1000 {
            ask(&memory, &[&format!("{i:010}")]);
            let generations = memory.lock();
            assert!(generations.young.len() <= 5 && generations.old.len() <= 5);
        }
        ask(&memory, &[&"x".repeat(51)]);
        assert_eq!(ask(&memory, &["0000000999"]).1.len(), 0);
        assert_eq!(ask(&memory, &["0000000001"]).1.len(), 1);
        assert_eq!(ask(&memory, &[&"x".repeat(51)]).1.len(), 1);
    }
}
