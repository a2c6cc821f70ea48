use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::{Heard, Listener, Target, message, not_connected};
use crate::{Lost, Position, Stream};

/// HTTP streaming: a JSON object a line.
pub(super) struct NdjsonListener {
    target: Target,
    stream: Option<Stream>,
}

impl NdjsonListener {
    pub(super) fn new(target: &Target) -> NdjsonListener {
        NdjsonListener { target: target.clone(), stream: None }
    }
}

impl Listener for NdjsonListener {
    fn connect(&mut self, since: Position) -> BoxFuture<'_, Result<(), Lost>> {
        async move {
            let path = self.target.path(&format!("since={since}"));
            let call = self.target.api.get(&path).header("accept", "application/x-ndjson");
            let mut stream = call.try_stream().await?;
            let open = stream.try_json().await?.ok_or_else(|| Lost("the stream ended".into()))?;
            assert_eq!(open["type"], "open", "{open}");
            self.stream = Some(stream);
            Ok(())
        }
        .boxed()
    }

    fn hear(&mut self) -> BoxFuture<'_, Result<Vec<Heard>, Lost>> {
        async move {
            let stream = self.stream.as_mut().ok_or_else(not_connected)?;
            let line = stream.try_json().await?.ok_or_else(|| Lost("the stream ended".into()))?;
            Ok(vec![match line["type"].as_str() {
                None => message(&line),
                Some("gap") => Heard::Gap,
                Some("close") => Heard::Closing(line["reason"].to_string()),
                Some(other) => panic!("what is {other:?}? {line}"),
            }])
        }
        .boxed()
    }
}
