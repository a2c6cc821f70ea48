//! The regular expressions of a token.

use std::collections::BTreeMap;

use regex::{RegexBuilder, RegexSet, RegexSetBuilder};

use super::Bits;

/// Patterns and what they permit. A pattern has to match a whole name.
#[derive(Default)]
pub(super) struct Patterns {
    /// None if there are no patterns.
    set: Option<RegexSet>,
    bits: Vec<Bits>,
}

/// A pattern cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternProblem {
    /// It is no regular expression.
    #[error("The pattern is not a regular expression.")]
    Syntax,
    /// It, or all of the grant's patterns together, are bigger than the org's `token_patterns_bytes_max`.
    #[error("The patterns are too big.")]
    TooBig,
}

impl Patterns {
    /// Compiles patterns into at most `room` bytes, and takes from it what that may use. Matching takes time linear in
    /// the length of the name, whatever the patterns are.
    ///
    /// # Errors
    /// The first pattern that cannot be used.
    pub(super) fn compile(
        scope: &BTreeMap<Box<str>, Bits>,
        room: &mut usize,
    ) -> Result<Patterns, (Box<str>, PatternProblem)> {
        let Some((first, _)) = scope.first_key_value() else { return Ok(Patterns::default()) };
        for pattern in scope.keys() {
            check_syntax(pattern).map_err(|problem| (pattern.clone(), problem))?;
        }
        let whole: Vec<String> = scope.keys().map(|pattern| format!(r"\A(?:{pattern})\z")).collect();
        // The least that is enough: what a set uses cannot be asked, only limited.
        let sizes = std::iter::successors(Some(16 * 1024), |size| Some(size * 4));
        for size in sizes.take_while(|size| size < room).chain([*room]) {
            let built = RegexSetBuilder::new(&whole).size_limit(size).dfa_size_limit(size).build();
            match built {
                Ok(set) => {
                    *room -= size;
                    return Ok(Patterns { set: Some(set), bits: scope.values().copied().collect() });
                }
                Err(regex::Error::CompiledTooBig(_)) => {}
                Err(_) => return Err((first.clone(), PatternProblem::Syntax)),
            }
        }
        Err((first.clone(), PatternProblem::TooBig))
    }

    /// What is permitted on a name.
    pub(super) fn bits_of(&self, name: &str) -> Bits {
        let Some(set) = &self.set else { return Bits::NONE };
        let matches = set.matches(name);
        matches.iter().filter_map(|index| self.bits.get(index)).fold(Bits::NONE, |all, bits| all | *bits)
    }
}

/// Whether it is a regular expression by itself: what stands around it is not to make it one.
fn check_syntax(pattern: &str) -> Result<(), PatternProblem> {
    match RegexBuilder::new(pattern).size_limit(0).build().map(drop) {
        Ok(()) | Err(regex::Error::CompiledTooBig(_)) => Ok(()),
        Err(_) => Err(PatternProblem::Syntax),
    }
}
#[cfg(test)]
mod tests {
    use super::*;

    fn compile(patterns: &[&str], room: &mut usize) -> Result<Patterns, (Box<str>, PatternProblem)> {
        let scope = patterns.iter().map(|pattern| ((*pattern).into(), Bits::READ)).collect();
        Patterns::compile(&scope, room)
    }

    #[test]
    fn a_pattern_matches_whole_names() {
        for (pattern, name, expected) in [
            ("room", "room", true),
            ("room", "rooms", false),
            ("room", "my room", false),
            ("^room$", "room", true),
            ("room-.*", "room-1", true),
            ("room-.*", "room-1\n", false),
            ("(?s)room-.*", "room-1\n", true),
            ("a|ab", "ab", true),
            ("(?m)^a$", "a\nb", false),
            ("", "", true),
            (r"\p{L}+", "Zoë", true),
            (".", "🦀", true),
            (r"a\.\*", "a.*", true),
        ] {
            let patterns = compile(&[pattern], &mut 100_000).unwrap();
            assert_eq!(patterns.bits_of(name) == Bits::READ, expected, "{pattern:?} {name:?}");
        }
    }

    #[test]
    fn all_patterns_together_are_bounded() {
        let mut room = 100_000;
        compile(&["a", "b.*"], &mut room).unwrap();
        let left = room;
        assert!((1..100_000).contains(&left));
        assert_eq!(
            compile(&["a{5000}"], &mut room).map(drop),
            Err(("a{5000}".into(), PatternProblem::TooBig))
        );
        assert_eq!(room, left);
        compile(&[], &mut 0).unwrap();
        assert!(compile(&["a"], &mut 10).is_err());
    }

    #[test]
    fn what_is_dear_elsewhere_is_cheap() {
        let patterns = compile(&["(a*)*b", "(x+x+)+y"], &mut 1_000_000).unwrap();
        for letter in ["a", "x"] {
            assert_eq!(patterns.bits_of(&letter.repeat(100_000)), Bits::NONE);
        }
    }
}
