/// What a permission is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Resource<'a> {
    /// A channel, by its name as the client writes it: with `-pnpres` for its presence events, `a.*` for a wildcard.
    Channel(&'a str),
    /// A channel group.
    Group(&'a str),
    /// A user, whose metadata it is about.
    Uuid(&'a str),
}

/// A request may not do what it is for; names what it may not do it with.
#[derive(Clone, Debug, Default, PartialEq, Eq, thiserror::Error)]
#[error("the access manager does not permit this")]
pub struct Forbidden {
    /// The channels that were refused.
    pub channels: Vec<Box<str>>,
    /// The channel groups that were refused.
    pub groups: Vec<Box<str>>,
    /// The users that were refused.
    pub uuids: Vec<Box<str>>,
}

impl Forbidden {
    /// Adds what was refused, once.
    pub fn add(&mut self, resource: Resource<'_>) {
        let (names, name) = match resource {
            Resource::Channel(name) => (&mut self.channels, name),
            Resource::Group(name) => (&mut self.groups, name),
            Resource::Uuid(name) => (&mut self.uuids, name),
        };
        if !names.iter().any(|there| **there == *name) {
            names.push(name.into());
        }
    }

    /// Adds what was refused by another check of the same request.
    pub fn merge(&mut self, other: Forbidden) {
        other.channels.iter().for_each(|name| self.add(Resource::Channel(name)));
        other.groups.iter().for_each(|name| self.add(Resource::Group(name)));
        other.uuids.iter().for_each(|name| self.add(Resource::Uuid(name)));
    }

    /// Whether nothing was refused.
    pub fn is_empty(&self) -> bool {
        self.channels.is_empty() && self.groups.is_empty() && self.uuids.is_empty()
    }
}
