use std::time::Duration;

use antiphon_tests::{Api, Connection, DEADLINE, Lost, Position, encoded, position, within};
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout};

use super::publishers::Published;

/// What a poll asks for.
#[derive(Clone)]
pub(super) struct Asked {
    names: String,
    query: String,
    /// The channels that this stands for.
    channels: Vec<String>,
}

impl Asked {
    pub(super) fn channels(channels: &[String]) -> Asked {
        Asked::names(channels, channels)
    }

    /// Names that stand for these channels.
    pub(super) fn names(names: &[String], channels: &[String]) -> Asked {
        let names = match names {
            // Of none at all.
            [] => ",".to_owned(),
            names => names.iter().map(|name| encoded(name)).collect::<Vec<_>>().join("%2C"),
        };
        Asked { names, query: String::new(), channels: channels.to_vec() }
    }

    /// With what stands for more channels.
    pub(super) fn and(mut self, query: &str, channels: &[String]) -> Asked {
        self.query = format!("&{query}");
        self.channels.extend_from_slice(channels);
        self
    }

    fn path(&self, uuid: &str, timetoken: Position) -> String {
        let (names, query) = (&self.names, &self.query);
        // Without a region it is one who begins, and not one who is subscribed already.
        let region = if timetoken == 0 { "" } else { "&tr=1" };
        format!("/v2/subscribe/demo/{names}/0?tt={timetoken}{region}&uuid={uuid}{query}")
    }
}

/// An answer, and what it was asked for.
struct Answered {
    asked: Asked,
    after: Position,
    until: Position,
    messages: Vec<Value>,
}

/// One who polls, and keeps what it was answered.
pub(super) struct Subscriber {
    name: String,
    api: Api,
    connection: Option<Connection>,
    timetoken: Position,
    answers: Vec<Answered>,
}

impl Subscriber {
    pub(super) async fn start(api: &Api, name: &str, channels: &[String]) -> Subscriber {
        let asked = Asked::channels(channels);
        let answer = api.get(&asked.path(&encoded(name), 0)).send().await.expect(200).json();
        Subscriber {
            name: name.to_owned(),
            api: api.clone(),
            connection: None,
            timetoken: position(&answer["t"]["t"]),
            answers: Vec::new(),
        }
    }

    /// Whether it has got the message that is published when all others have been.
    pub(super) fn is_at_end(&self) -> bool {
        // Of answers that overlap the first may have got further.
        let mut latest = self.answers.iter().rev().take(2).filter_map(|answer| answer.messages.last());
        latest.any(|message| message["c"] == "end")
    }

    /// Asks for what came after its timetoken, again until it is answered, and goes on from there.
    pub(super) async fn poll(&mut self, asked: &Asked) {
        let mut patience = Patience::new();
        while let Err(lost) = self.try_poll(asked).await {
            patience.after(&lost).await;
        }
    }

    /// The same, but it goes away if there is no answer in time.
    pub(super) async fn poll_briefly(&mut self, asked: &Asked, patience: Duration) {
        match timeout(patience, self.try_poll(asked)).await {
            Ok(Ok(())) => {}
            // What is under way on a connection that is dropped is lost with it.
            Ok(Err(_)) | Err(_) => self.connection = None,
        }
    }

    /// Asks for a timetoken, and forgets it.
    pub(super) async fn shake_hands(&mut self, asked: &Asked) {
        let path = asked.path(&encoded(&self.name), 0);
        let answer = fetch(&self.api, &path).await;
        assert_eq!(answer["m"], Value::Array(Vec::new()), "{}", self.name);
        assert!(position(&answer["t"]["t"]) >= self.timetoken, "{}: {answer}", self.name);
    }

    /// Polls twice at the same time, and goes on with the later of the answers.
    pub(super) async fn poll_both(&mut self, one: &Asked, other: &Asked) {
        let since = self.timetoken;
        let ask = |asked: &Asked| {
            let (asked, api, path) =
                (asked.clone(), self.api.clone(), asked.path(&encoded(&self.name), since));
            tokio::spawn(async move { Answered::of(asked, since, &fetch(&api, &path).await) })
        };
        let (one, other) = (ask(one), ask(other));
        for answered in [one, other] {
            let answered = within("both answers", answered).await.unwrap();
            self.timetoken = self.timetoken.max(answered.until);
            self.answers.push(answered);
        }
    }

    async fn try_poll(&mut self, asked: &Asked) -> Result<(), Lost> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.api.connect().await?,
        };
        let path = asked.path(&encoded(&self.name), self.timetoken);
        let answer = self.api.get(&path).try_send_over(&mut connection).await?.expect(200).json();
        self.connection = Some(connection);
        let answered = Answered::of(asked.clone(), self.timetoken, &answer);
        self.timetoken = answered.until;
        self.answers.push(answered);
        Ok(())
    }

    /// All that it was told, with the timetokens, in the order of the telling.
    pub(super) fn told(&self) -> Vec<(Position, Value)> {
        let messages = self.answers.iter().flat_map(|answer| &answer.messages);
        messages.map(|message| (position(&message["p"]["t"]), message["d"].clone())).collect()
    }

    /// Holds every answer against what was published.
    pub(super) fn check(&self, published: &Published) {
        let mut told = 0;
        for answer in &self.answers {
            let Answered { asked, after, until, messages } = answer;
            assert!(until >= after, "{}: back from {after} to {until}", self.name);
            let expected: Vec<_> = published.between(*after, *until, &asked.channels).collect();
            let found: Vec<_> = messages
                .iter()
                .map(|one| (position(&one["p"]["t"]), one["c"].as_str().unwrap_or_default(), &one["d"]))
                .collect();
            assert_eq!(found, expected, "{}: {} from {after} to {until}", self.name, asked.names);
            told += messages.len();
        }
        assert!(told > 0, "{} was told nothing", self.name);
        let polls = self.answers.len();
        println!("{}: {told} messages in {polls} answers", self.name);
    }
}

/// Asks again until there is an answer: the server may be about to be started again.
async fn fetch(api: &Api, path: &str) -> Value {
    let mut patience = Patience::new();
    loop {
        match api.get(path).try_send().await {
            Ok(answer) => return answer.expect(200).json(),
            Err(lost) => patience.after(&lost).await,
        }
    }
}

/// How long somebody goes on asking.
struct Patience {
    until: Instant,
}

impl Patience {
    fn new() -> Patience {
        Patience { until: Instant::now() + DEADLINE }
    }

    /// Waits a little before the next attempt.
    async fn after(&mut self, lost: &Lost) {
        assert!(Instant::now() < self.until, "no answer: {lost}");
        sleep(Duration::from_millis(20)).await;
    }
}

impl Answered {
    fn of(asked: Asked, after: Position, answer: &Value) -> Answered {
        let messages = answer["m"].as_array().cloned().unwrap_or_else(|| panic!("no messages in {answer}"));
        Answered { asked, after, until: position(&answer["t"]["t"]), messages }
    }
}
