//! What is counted beside what was.

use std::fmt;

use crate::{HotPath, Record};

/// So much is no news, whatever the percentage: on the shortest paths that is how a compiler orders them.
const SLACK: f64 = 1.0;

/// One path's count beside its record.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    name: &'static str,
    unit: &'static str,
    counted: f64,
    recorded: Option<f64>,
    /// What it comes to.
    pub verdict: Verdict,
}

/// What a count beside its record comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// About as many.
    Same,
    /// Fewer: worth recording, or the next change can take it back unseen.
    Less,
    /// More than the tolerance lets through.
    More,
    /// Nobody has counted it before.
    New,
}

impl Comparison {
    /// Compares a count with what the record has.
    pub fn new(path: &HotPath, counted: f64, record: &Record) -> Comparison {
        let recorded = record.instructions.get(path.name).copied();
        let verdict = match recorded {
            None => Verdict::New,
            Some(recorded) => {
                let allowed = (recorded * record.tolerance_percent / 100.0).max(SLACK);
                match counted - recorded {
                    more if more > allowed => Verdict::More,
                    more if more < -allowed => Verdict::Less,
                    _ => Verdict::Same,
                }
            }
        };
        Comparison { name: path.name, unit: path.unit, counted, recorded, verdict }
    }

    /// Whether it is to fail.
    pub fn fails(&self) -> bool {
        matches!(self.verdict, Verdict::More | Verdict::New)
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Comparison { name, unit, counted, recorded, verdict } = self;
        write!(f, "{name:<24} {counted:>10.1} for each {unit:<12}")?;
        if let Some(recorded) = recorded {
            let percent = (counted / recorded - 1.0) * 100.0;
            write!(f, "{recorded:>10.1} recorded {percent:>+7.1} %")?;
        }
        f.write_str(match verdict {
            Verdict::Same => "",
            Verdict::Less => "  less: record it",
            Verdict::More => "  MORE",
            Verdict::New => "  NOT RECORDED",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(recorded: Option<f64>, counted: f64) -> Verdict {
        let path = HotPath { name: "a", what: "", unit: "b", units: 1, times: 1, run: |_| {} };
        let mut record = Record::new("rustc");
        record.instructions.extend(recorded.map(|recorded| ("a".to_owned(), recorded)));
        Comparison::new(&path, counted, &record).verdict
    }

    #[test]
    fn past_the_tolerance_it_fails() {
        assert_eq!(verdict(Some(1000.0), 1049.0), Verdict::Same);
        assert_eq!(verdict(Some(1000.0), 1051.0), Verdict::More);
        assert_eq!(verdict(Some(1000.0), 951.0), Verdict::Same);
        assert_eq!(verdict(Some(1000.0), 940.0), Verdict::Less);
        assert_eq!(verdict(None, 1.0), Verdict::New);
    }

    #[test]
    fn a_single_instruction_is_no_news() {
        assert_eq!(verdict(Some(10.0), 10.9), Verdict::Same);
        assert_eq!(verdict(Some(10.0), 11.1), Verdict::More);
    }
}
