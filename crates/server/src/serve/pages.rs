//! The demo chat, in the binary.

use antiphon_http::Asset;

const HTML: &str = "text/html; charset=utf-8";
const INDEX: &[u8] = include_bytes!("../../../../demos/chat/index.html");

/// A file of the demo at its path.
macro_rules! file {
    ($name:literal, $content_type:literal) => {
        Asset {
            path: concat!("/chat/", $name),
            content_type: $content_type,
            bytes: include_bytes!(concat!("../../../../demos/chat/", $name)),
        }
    };
}

/// Every file by its path. The page is at the root and at `/chat`; its addresses are relative to either.
pub(super) fn assets() -> Vec<Asset> {
    vec![
        Asset { path: "/", content_type: HTML, bytes: INDEX },
        Asset { path: "/chat", content_type: HTML, bytes: INDEX },
        file!("chat.css", "text/css; charset=utf-8"),
        file!("icon.svg", "image/svg+xml"),
        file!("api.js", "text/javascript; charset=utf-8"),
        file!("chat.js", "text/javascript; charset=utf-8"),
        file!("clock.js", "text/javascript; charset=utf-8"),
        file!("connection.js", "text/javascript; charset=utf-8"),
        file!("content.js", "text/javascript; charset=utf-8"),
        file!("curl.js", "text/javascript; charset=utf-8"),
        file!("latency.js", "text/javascript; charset=utf-8"),
        file!("outbox.js", "text/javascript; charset=utf-8"),
        file!("people.js", "text/javascript; charset=utf-8"),
        file!("position.js", "text/javascript; charset=utf-8"),
        file!("presence.js", "text/javascript; charset=utf-8"),
        file!("profile.js", "text/javascript; charset=utf-8"),
        file!("scroller.js", "text/javascript; charset=utf-8"),
        file!("status.js", "text/javascript; charset=utf-8"),
        file!("techniques.js", "text/javascript; charset=utf-8"),
        file!("timeline.js", "text/javascript; charset=utf-8"),
        file!("transports.js", "text/javascript; charset=utf-8"),
        file!("websocket.js", "text/javascript; charset=utf-8"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_demo_is_there() {
        let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../../demos/chat");
        let mut expected: Vec<_> = std::fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name != "README.md" && name != "index.html")
            .map(|name| format!("/chat/{name}"))
            .chain(["/".to_owned(), "/chat".to_owned()])
            .collect();
        expected.sort();
        let mut paths: Vec<_> = assets().iter().map(|asset| asset.path.to_owned()).collect();
        paths.sort();
        assert_eq!(paths, expected);
    }
}
