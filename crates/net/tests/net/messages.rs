//! Publications that are several messages, or none.

use antiphon_hub::Since;
use antiphon_model::{Compress, Draft, Payload, Publication};
use antiphon_net::{Format, MessageKind, Messages, Outgoing};

use crate::client::{Heard, Socket};
use crate::dialect::channel;
use crate::script::{Script, say};
use crate::{Running, Setup};

/// Each word is a message, binary if it begins with `#`.
static WORDS: Format = Format { name: "words", encode: words };

fn words(publication: &Publication, messages: &mut Messages<'_>) {
    let payload = publication.payload.to_bytes();
    for word in payload.split(|byte| *byte == b' ').filter(|word| !word.is_empty()) {
        match word[0] {
            b'#' => messages.message(MessageKind::Binary, |out| out.extend_from_slice(word)),
            _ => messages.bytes(MessageKind::Text, word),
        }
    }
}

fn start() -> Running {
    let script = Script::new(|_, client| {
        client.attach(&channel("a"), Since::Now, &WORDS).unwrap();
        say(client, "attached");
    });
    deflating(script)
}

fn deflating(script: Script) -> Running {
    let mut setup = Setup { script, ..Setup::default() };
    setup.net.deflate.enabled = true;
    setup.start()
}

fn attached(mut socket: Socket) -> Socket {
    assert!(socket.next_text().starts_with("hello "));
    socket.text("attach");
    assert_eq!(socket.next_text(), "attached");
    socket
}

fn text(text: &str) -> Heard {
    Heard::Text(text.into())
}

#[test]
fn a_publication_is_as_many_messages_as_its_format_writes() {
    let running = start();
    let plain = attached(running.open("/x/"));
    let deflated = attached(running.socket().deflated("/x/"));
    let long = "l".repeat(5000);
    for mut socket in [plain, deflated] {
        running.publish("a", "one #two three");
        running.publish("a", "");
        running.publish("a", format!("{long} #{long}"));
        running.publish("a", "last");
        assert_eq!(
            [(); 3].map(|()| socket.next()),
            [text("one"), Heard::Binary(b"#two".into()), text("three")]
        );
        assert_eq!(socket.next(), text(&long));
        assert_eq!(socket.next(), Heard::Binary(format!("#{long}").into()));
        assert_eq!(socket.next(), text("last"));
    }
}

#[test]
fn what_a_format_does_not_write_is_not_sent() {
    let running = start();
    let mut socket = attached(running.open("/x/"));
    let metrics = running.node().metrics();
    let before = metrics.deliveries.get();
    (0..100).for_each(|_| running.publish("a", "  "));
    running.publish("a", "end");
    assert_eq!(socket.next_text(), "end");
    assert_eq!(metrics.deliveries.get() - before, 1);
}

#[test]
fn what_is_not_to_be_compressed_is_not() {
    let running = deflating(Script::new(|how, client| {
        let compress = if how == "never" { Compress::Never } else { Compress::AsConfigured };
        client.attach(&channel("a"), Since::Now, &WORDS).unwrap();
        client.send_with(Outgoing::Text(&[b'x'; 5000]), compress);
    }));
    let mut socket = running.socket().deflated("/x/");
    socket.next_text();
    let long = "l".repeat(5000);
    for (how, compress, expected) in
        [("never", Compress::Never, 4000..6000), ("often", Compress::AsConfigured, 1..400)]
    {
        let before = socket.received;
        socket.text(how);
        assert_eq!(socket.next_text().len(), 5000);
        let between = socket.received;
        assert!(expected.contains(&(between - before)), "{how}: {}", between - before);
        running.publish_draft(Draft {
            compress,
            ..Draft::new(channel("a"), Payload::Binary(long.clone().into()))
        });
        assert_eq!(socket.next_text(), long);
        assert!(expected.contains(&(socket.received - between)), "{how}: {}", socket.received - between);
    }
}
