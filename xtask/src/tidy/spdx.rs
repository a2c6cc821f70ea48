/// Whether the licences that are allowed suffice for this SPDX expression; nothing if it is not one.
///
/// `AND` binds closer than `OR`; the old `MIT/Apache-2.0` is an `OR`. A licence `WITH` an exception is allowed where the
/// two together are, and where the licence alone is, since exceptions only permit more.
pub(super) fn is_satisfied(expression: &str, allowed: &dyn Fn(&str) -> bool) -> Option<bool> {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let tokens: Vec<&str> = spaced.split_whitespace().collect();
    let mut parser = Parser { rest: &tokens, allowed };
    let satisfied = parser.alternatives()?;
    parser.rest.is_empty().then_some(satisfied)
}

struct Parser<'a> {
    rest: &'a [&'a str],
    allowed: &'a dyn Fn(&str) -> bool,
}

impl<'a> Parser<'a> {
    fn alternatives(&mut self) -> Option<bool> {
        let mut satisfied = self.all_of()?;
        while self.take("OR") {
            satisfied |= self.all_of()?;
        }
        Some(satisfied)
    }

    fn all_of(&mut self) -> Option<bool> {
        let mut satisfied = self.one()?;
        while self.take("AND") {
            satisfied &= self.one()?;
        }
        Some(satisfied)
    }

    fn one(&mut self) -> Option<bool> {
        if self.take("(") {
            let satisfied = self.alternatives()?;
            return self.take(")").then_some(satisfied);
        }
        let licence = self.word()?;
        if !self.take("WITH") {
            return Some((self.allowed)(licence));
        }
        let exception = self.word()?;
        Some((self.allowed)(licence) || (self.allowed)(&format!("{licence} WITH {exception}")))
    }

    fn word(&mut self) -> Option<&'a str> {
        let (first, rest) = self.rest.split_first()?;
        let is_word = !["(", ")", "AND", "OR", "WITH"].contains(first);
        self.rest = rest;
        is_word.then_some(*first)
    }

    fn take(&mut self, token: &str) -> bool {
        let found = self.rest.first() == Some(&token);
        if found {
            self.rest = &self.rest[1..];
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_weighed() {
        let allowed = |licence: &str| ["MIT", "Apache-2.0", "Unicode-3.0"].contains(&licence);
        for (expression, expected) in [
            ("MIT", Some(true)),
            ("GPL-3.0", Some(false)),
            ("MIT OR GPL-3.0", Some(true)),
            ("MIT AND GPL-3.0", Some(false)),
            ("GPL-3.0 OR MIT AND Unicode-3.0", Some(true)),
            ("(MIT OR Apache-2.0) AND Unicode-3.0", Some(true)),
            ("(MIT OR Apache-2.0) AND GPL-3.0", Some(false)),
            ("GPL-3.0/MIT", Some(true)),
            ("Apache-2.0 WITH LLVM-exception", Some(true)),
            ("GPL-2.0 WITH Classpath-exception-2.0", Some(false)),
            ("", None),
            ("MIT OR", None),
            ("(MIT", None),
            ("MIT Apache-2.0", None),
        ] {
            assert_eq!(is_satisfied(expression, &allowed), expected, "{expression:?}");
        }
    }
}
