use serde_json::Value;

use crate::{Lost, Stream, within};

/// An event as a browser's `EventSource` would dispatch it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// The last `id:` that was heard, with this event or before it.
    pub id: String,
    /// `event:`, or `message`.
    pub name: String,
    /// The lines of `data:` with `\n` between them.
    pub data: String,
}

impl Event {
    /// Its data as JSON.
    ///
    /// # Panics
    /// It is none.
    #[track_caller]
    pub fn json(&self) -> Value {
        match serde_json::from_str(&self.data) {
            Ok(value) => value,
            Err(error) => panic!("{error} in {self:?}"),
        }
    }
}

/// Reads server-sent events by the algorithm of the HTML standard (9.2.6).
pub struct EventReader {
    stream: Stream,
    /// The last `id:`, to come back with.
    pub last_id: String,
    /// How many comments there were.
    pub comments: usize,
}

impl EventReader {
    /// Reads the events of this answer.
    ///
    /// # Panics
    /// It is not declared as such.
    pub fn new(stream: Stream) -> EventReader {
        let declared = stream.headers.get("content-type").and_then(|value| value.to_str().ok());
        assert!(declared.is_some_and(|value| value.starts_with("text/event-stream")), "{declared:?}");
        EventReader { stream, last_id: String::new(), comments: 0 }
    }

    /// The next event; none at the stream's end.
    ///
    /// # Errors
    /// It broke off.
    pub async fn try_next(&mut self) -> Result<Option<Event>, Lost> {
        let (mut name, mut data) = (String::new(), None::<String>);
        while let Some(line) = self.stream.next_line().await? {
            let line = line.strip_suffix('\r').unwrap_or(&line);
            if line.is_empty() {
                let name = std::mem::take(&mut name);
                let Some(data) = data.take() else { continue };
                let name = if name.is_empty() { "message".to_owned() } else { name };
                return Ok(Some(Event { id: self.last_id.clone(), name, data }));
            }
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "" => self.comments += 1,
                "id" => self.last_id = value.to_owned(),
                "event" => name = value.to_owned(),
                "data" => match &mut data {
                    Some(data) => {
                        data.push('\n');
                        data.push_str(value);
                    }
                    None => data = Some(value.to_owned()),
                },
                _ => {}
            }
        }
        Ok(None)
    }

    /// The next event.
    ///
    /// # Panics
    /// There is none.
    pub async fn next(&mut self) -> Event {
        match within("an event", self.try_next()).await {
            Ok(Some(event)) => event,
            other => panic!("no event: {other:?}"),
        }
    }
}
