//! Which channel a room is, and the other way round.
//!
//! A room of `/` and the channel of its name are one, so that other dialects speak there. Every other namespace has its rooms
//! behind its own name: `/chat#lobby`. Everyone in a namespace is `/chat#`, with no room.

use std::borrow::Cow;
use std::sync::Arc;

use antiphon_model::{ChannelFlags, ChannelId, InvalidChannelName};

use crate::NamespaceName;

/// What ends the namespace in the name of a channel.
const END: char = '#';

/// A room has a name that no channel can have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRoom {
    /// It has no name: in the name of a channel that is everyone in the namespace.
    #[error("a room's name cannot be empty")]
    Empty,
    /// NamespaceName and room together are no name of a channel.
    #[error("the room cannot be a channel: {0}")]
    Channel(#[from] InvalidChannelName),
}

/// The channel of a room, or with no room that of everyone in the namespace.
///
/// # Errors
/// The room's name is empty, too long together with the namespace's, or has a control character.
pub fn channel_of(namespace: &NamespaceName, room: Option<&str>) -> Result<Arc<ChannelId>, InvalidRoom> {
    if room == Some("") {
        return Err(InvalidRoom::Empty);
    }
    if let Some(room) = room
        && namespace.is_root()
        && !room.starts_with('/')
    {
        return Ok(Arc::new(ChannelId::new(room, ChannelFlags::NONE)?));
    }
    let name = escape(namespace.as_str());
    let room = room.unwrap_or_default();
    let mut channel = String::with_capacity(name.len() + 1 + room.len());
    channel.push_str(&name);
    channel.push(END);
    channel.push_str(room);
    Ok(Arc::new(ChannelId::new(&channel, ChannelFlags::NONE)?))
}

/// The namespace that a channel's publications are seen in: `/` for all that no other namespace made.
pub fn namespace_of(channel: &ChannelId) -> NamespaceName {
    match split(channel) {
        None => NamespaceName::root(),
        Some((namespace, _)) => {
            NamespaceName::new(unescape(namespace).into_owned()).unwrap_or_else(|_| NamespaceName::root())
        }
    }
}

/// The room that a channel is; `None` if it is everyone in a namespace.
pub fn room_of(channel: &ChannelId) -> Option<&str> {
    match split(channel) {
        None => Some(channel.name()),
        Some((_, room)) => Some(room).filter(|room| !room.is_empty()),
    }
}

/// The name of the namespace as packets have it, and none for `/`, which they do not name.
pub(crate) fn written_namespace(channel: &ChannelId) -> Option<Cow<'_, str>> {
    let (namespace, _) = split(channel)?;
    (namespace != "/").then(|| unescape(namespace))
}

/// The namespace, escaped, and the room of a channel that names its namespace.
///
/// A name with a comma before its `#` is no namespace's: it would end early on the wire.
fn split(channel: &ChannelId) -> Option<(&str, &str)> {
    let name = channel.name();
    if !name.starts_with('/') {
        return None;
    }
    name.split_once(END).filter(|(namespace, _)| !namespace.contains(','))
}

/// `#` ends the name, and `%` begins what stands for either.
fn escape(namespace: &str) -> Cow<'_, str> {
    if namespace.contains(['#', '%']) {
        return Cow::Owned(namespace.replace('%', "%25").replace('#', "%23"));
    }
    Cow::Borrowed(namespace)
}

fn unescape(namespace: &str) -> Cow<'_, str> {
    if namespace.contains('%') {
        return Cow::Owned(namespace.replace("%23", "#").replace("%25", "%"));
    }
    Cow::Borrowed(namespace)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn namespace(name: &str) -> NamespaceName {
        NamespaceName::new(name.to_owned()).unwrap()
    }

    fn channel(name: &str) -> ChannelId {
        ChannelId::new(name, ChannelFlags::NONE).unwrap()
    }

    #[test]
    fn rooms_are_channels() {
        for (name, room, expected) in [
            ("/", Some("lobby"), "lobby"),
            ("/", Some("a#b"), "a#b"),
            ("/", Some("/x"), "/#/x"),
            ("/", None, "/#"),
            ("/chat", None, "/chat#"),
            ("/chat", Some("lobby"), "/chat#lobby"),
            ("/chat", Some("/x#y"), "/chat#/x#y"),
            ("/a#b%23", Some("r"), "/a%23b%2523#r"),
        ] {
            let made = channel_of(&namespace(name), room).unwrap();
            assert_eq!(made.name(), expected);
            assert_eq!(namespace_of(&made), namespace(name), "{expected}");
            assert_eq!(room_of(&made), room, "{expected}");
        }
    }

    #[test]
    fn other_channels_are_rooms_of_the_main_namespace() {
        for name in ["news", "/news", "news#1", "#", "/a,b#c", "x/chat#lobby"] {
            assert!(namespace_of(&channel(name)).is_root(), "{name}");
            assert_eq!(written_namespace(&channel(name)), None, "{name}");
            assert_eq!(room_of(&channel(name)), Some(name));
        }
        assert_eq!(written_namespace(&channel("/#")), None);
        assert_eq!(written_namespace(&channel("/a%23#x")).as_deref(), Some("/a#"));
    }

    #[test]
    fn what_no_channel_can_be_called_is_refused() {
        let root = NamespaceName::root();
        assert_eq!(channel_of(&root, Some("")), Err(InvalidRoom::Empty));
        assert_eq!(channel_of(&namespace("/a"), Some("")), Err(InvalidRoom::Empty));
        for room in ["a\nb".to_owned(), "r".repeat(1025)] {
            assert!(matches!(channel_of(&root, Some(&room)), Err(InvalidRoom::Channel(_))));
        }
    }

    proptest! {
        #[test]
        fn no_two_rooms_are_one_channel(
            namespaces in prop::array::uniform2("/[a#%25/]{0,4}"),
            rooms in prop::array::uniform2(prop::option::of("[a#%/]{1,3}")),
        ) {
            let [one, other] = [0, 1].map(|at| {
                let namespace = namespace(&namespaces[at]);
                let channel = channel_of(&namespace, rooms[at].as_deref()).unwrap();
                prop_assert_eq!(&namespace_of(&channel), &namespace);
                prop_assert_eq!(room_of(&channel), rooms[at].as_deref());
                Ok(channel)
            });
            let same = namespaces[0] == namespaces[1] && rooms[0] == rooms[1];
            prop_assert_eq!(one? == other?, same);
        }
    }
}
