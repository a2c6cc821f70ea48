use std::collections::HashMap;
use std::sync::Arc;

use super::TokenId;
use super::token::ReadToken;

/// The tokens that were read last.
///
/// There are two generations: when the young one is full, the old one is forgotten and the young one is the old one. A
/// token that is asked for becomes young again.
#[derive(Default)]
pub(super) struct Remembered {
    young: Generation,
    old: Generation,
}

#[derive(Default)]
struct Generation {
    tokens: HashMap<TokenId, (Arc<ReadToken>, usize)>,
    weight: usize,
}

impl Remembered {
    pub(super) fn find(&mut self, id: TokenId, max: usize) -> Option<Arc<ReadToken>> {
        if let Some((token, _)) = self.young.tokens.get(&id) {
            return Some(Arc::clone(token));
        }
        let (token, weight) = self.old.tokens.remove(&id)?;
        self.old.weight -= weight;
        self.add(Arc::clone(&token), weight, max);
        Some(token)
    }

    /// Remembers a token that takes `weight` bytes. All that is remembered takes at most `max`.
    pub(super) fn add(&mut self, token: Arc<ReadToken>, weight: usize, max: usize) {
        let each = max / 2;
        if weight > each {
            return;
        }
        if self.young.weight + weight > each {
            self.old = std::mem::take(&mut self.young);
        }
        let replaced = self.young.tokens.insert(token.id, (token, weight));
        self.young.weight += weight;
        self.young.weight -= replaced.map_or(0, |(_, weight)| weight);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_asked_for_last_is_remembered_within_the_limit() {
        let mut remembered = Remembered::default();
        let token = |number: u8| Arc::new(ReadToken::nothing(TokenId::of(&[number])));
        for number in 0..100 {
            remembered.add(token(number), 10, 100);
            assert!(remembered.young.weight + remembered.old.weight <= 100);
            // This one is asked for again and again.
            assert!(remembered.find(TokenId::of(&[0]), 100).is_some(), "{number}");
            let tokens = remembered.young.tokens.values().chain(remembered.old.tokens.values());
            let weight: usize = tokens.map(|(_, weight)| weight).sum();
            assert_eq!(weight, remembered.young.weight + remembered.old.weight);
        }
        assert!(remembered.find(TokenId::of(&[99]), 100).is_some());
        assert!(remembered.find(TokenId::of(&[50]), 100).is_none());
        remembered.add(token(200), 51, 100);
        assert!(remembered.find(TokenId::of(&[200]), 100).is_none());
        remembered.add(token(201), 10, 100);
        remembered.add(token(201), 10, 100);
        assert!(remembered.young.weight + remembered.old.weight <= 100);
    }
}
