use antiphon_model::ChannelId;
use serde::{Deserialize, Serialize};

/// What the names that clients give channels consist of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ChannelCharacters {
    /// Any characters but control characters, which no channel has.
    #[default]
    Any,
    /// Space to `~`.
    PrintableAscii,
    /// What needs no escape in a URL (RFC 3986, 2.3): letters, digits, `-`, `.`, `_` and `~`.
    UrlSafe,
}

/// A character that the names of an org's channels do not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{character:?} is none of the characters of this org's channel names: {}", .allowed.words())]
pub(crate) struct Unfit {
    /// The first of them in the name.
    pub(crate) character: char,
    pub(crate) allowed: ChannelCharacters,
}

impl ChannelCharacters {
    /// Checks the name of a channel. What makes a name a wildcard does not count, be it the companion that is listened to or the channel
    /// of its name, on which its listeners are present.
    pub(crate) fn check(self, channel: &ChannelId) -> Result<(), Unfit> {
        if self == ChannelCharacters::Any {
            return Ok(());
        }
        let prefix = channel.name().strip_suffix(".*");
        let name = prefix.filter(|prefix| ChannelId::wildcard_of(prefix).is_some()).unwrap_or(channel.name());
        let unfit = match self {
            ChannelCharacters::Any => None,
            ChannelCharacters::PrintableAscii => name.chars().find(|one| !matches!(one, ' '..='~')),
            ChannelCharacters::UrlSafe => name.chars().find(|one| !is_unreserved(*one)),
        };
        unfit.map_or(Ok(()), |character| Err(Unfit { character, allowed: self }))
    }

    fn words(self) -> &'static str {
        match self {
            ChannelCharacters::Any => "all but control characters",
            ChannelCharacters::PrintableAscii => "printable ASCII",
            ChannelCharacters::UrlSafe => "A-Z, a-z, 0-9, '-', '.', '_' and '~'",
        }
    }
}

fn is_unreserved(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '-' | '.' | '_' | '~')
}

#[cfg(test)]
mod tests {
    use super::*;
    use antiphon_model::ChannelFlags;

    #[test]
    fn the_first_character_that_does_not_fit_is_named() {
        use ChannelCharacters::{Any, PrintableAscii, UrlSafe};
        for (name, any, ascii, url) in [
            ("room.1_a-b~", None, None, None),
            ("a b", None, None, Some(' ')),
            ("raum-ä/ö", None, Some('ä'), Some('ä')),
            ("a/b?c", None, None, Some('/')),
            ("\u{202e}x", None, Some('\u{202e}'), Some('\u{202e}')),
        ] {
            let channel = ChannelId::new(name, ChannelFlags::NONE).unwrap();
            for (characters, expected) in [(Any, any), (PrintableAscii, ascii), (UrlSafe, url)] {
                let found = characters.check(&channel).err().map(|unfit| unfit.character);
                assert_eq!(found, expected, "{name:?} {characters:?}");
            }
        }
    }

    #[test]
    fn a_wildcard_s_star_does_not_count() {
        let wildcard = |prefix| ChannelId::wildcard_of(prefix).unwrap();
        assert_eq!(ChannelCharacters::UrlSafe.check(&wildcard("a.b")), Ok(()));
        assert!(ChannelCharacters::UrlSafe.check(&wildcard("a b")).is_err());
        let plain = ChannelId::new("a.b.c.*", ChannelFlags::NONE).unwrap();
        assert!(ChannelCharacters::UrlSafe.check(&plain).is_err());
        assert_eq!(
            ChannelCharacters::UrlSafe.check(&ChannelId::new("a", ChannelFlags::NONE).unwrap().presence()),
            Ok(())
        );
    }

    #[test]
    fn the_refusal_names_the_character_and_those_that_there_are() {
        let channel = ChannelId::new("a b", ChannelFlags::NONE).unwrap();
        assert_eq!(
            ChannelCharacters::UrlSafe.check(&channel).unwrap_err().to_string(),
            "' ' is none of the characters of this org's channel names: A-Z, a-z, 0-9, '-', '.', '_' and '~'"
        );
    }
}
