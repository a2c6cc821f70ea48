//! The hot paths, each a program in itself.

mod codecs;
mod decisions;
mod fanout;
mod hub;

/// Something that is done over and over.
pub struct HotPath {
    /// What it is called in the record.
    pub name: &'static str,
    /// What it is, in a line.
    pub what: &'static str,
    /// What its cost is given for.
    pub unit: &'static str,
    /// How many of these it does each time.
    pub units: u64,
    /// How often it is done when it is counted.
    pub times: u64,
    /// Does it so many times.
    pub run: fn(u64),
}

/// All of them, in the order of a message's way.
pub const PATHS: &[&[HotPath]] = &[codecs::PATHS, decisions::PATHS, hub::PATHS, fanout::PATHS];

impl HotPath {
    /// All of them.
    pub fn all() -> impl Iterator<Item = &'static HotPath> {
        PATHS.iter().copied().flatten()
    }

    /// One by its name.
    pub fn named(name: &str) -> Option<&'static HotPath> {
        HotPath::all().find(|path| path.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_a_name_of_its_own_and_runs() {
        let mut names: Vec<_> = HotPath::all().map(|path| path.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), HotPath::all().count());
        for path in HotPath::all() {
            (path.run)(1);
        }
    }
}
