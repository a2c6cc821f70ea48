use std::collections::{BTreeMap, HashMap};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::channels::Class;
use crate::client::{Client, Heard, Manner, Note, Said, Trouble};
use crate::hearing::{Hearing, Joined};
use crate::ledger::Moment;
use crate::random::Random;
use crate::world::{Phase, World};

/// How long one thing that a client does may take.
const STEP_MAX: Duration = Duration::from_secs(30);

/// For how long a client publishes under one name: less than what the ledger remembers, which counts anew for whom it has
/// forgotten.
const SPEAKER_MAX: Duration = Duration::from_secs(150);

/// How often a client checks whether something is overdue.
const CHECK: Duration = Duration::from_secs(5);

/// How fast a client lives.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// The mean time between its publications.
    pub(crate) says: Duration,
    /// The mean time between other things that it does.
    pub(crate) chores: Duration,
    /// The mean time for which it stays connected.
    pub(crate) stays: Duration,
    /// How many channels it listens to at most.
    pub(crate) channels: usize,
}

/// One client's life: it connects, listens, publishes, leaves in some manner, and comes back, as itself or as somebody
/// else, until all is over. A panic of a helper is a fault like any other.
pub(crate) async fn live(
    world: Arc<World>,
    name: String,
    client: Box<dyn Client>,
    random: Random,
    pace: Pace,
) {
    let phase = world.phase();
    let kind = name.split('-').next().unwrap_or_default().to_owned();
    let life = Life {
        world: Arc::clone(&world),
        kind,
        client,
        random,
        pace,
        phase,
        hearings: BTreeMap::new(),
        speaker: Speaker { name: name.clone(), incarnation: 0, since: Instant::now() },
        unanswered: Vec::new(),
        tickets: HashMap::new(),
        has_untold: false,
    };
    if let Err(panic) = AssertUnwindSafe(life.run()).catch_unwind().await {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        world.fault(&name, format!("panicked: {}", text.unwrap_or_default()));
    }
}

/// Under which name a client publishes: another one once it cannot know what became of what it said.
struct Speaker {
    name: String,
    incarnation: u32,
    since: Instant,
}

impl Speaker {
    fn publisher(&self) -> String {
        format!("{}.{}", self.name, self.incarnation)
    }
}

struct Life {
    world: Arc<World>,
    kind: String,
    client: Box<dyn Client>,
    random: Random,
    pace: Pace,
    phase: watch::Receiver<Phase>,
    hearings: BTreeMap<String, Hearing>,
    speaker: Speaker,
    /// What was sent, oldest first, and is neither taken nor refused; and when.
    unanswered: Vec<(Note, Moment)>,
    tickets: HashMap<u64, Note>,
    /// Whether it said something that is never answered.
    has_untold: bool,
}

enum Event {
    Heard(Result<Vec<Heard>, Trouble>),
    Say,
    Chore,
    Check,
    Leave,
    Phase,
}

impl Life {
    async fn run(mut self) {
        let delay = self.random.around(Duration::from_secs(2));
        self.away(delay).await;
        while *self.phase.borrow() != Phase::Over {
            if self.hearings.is_empty() || (self.random.chance(12) && self.is_talking()) {
                self.become_somebody_else();
            }
            match self.connect().await {
                Ok(joined) => {
                    let now = self.world.now();
                    self.hearings.values_mut().for_each(|hearing| hearing.join(joined, now));
                    self.world.count(match joined {
                        Joined::Anew => "connections anew",
                        Joined::Resumed | Joined::Recovered => "connections resumed",
                    });
                    if let Err(trouble) = self.stay().await {
                        self.breaks_off(&trouble);
                    }
                }
                Err(trouble) => {
                    self.breaks_off(&trouble);
                    self.client.leave(Manner::Abort).await;
                }
            }
            self.leave_channels();
            let mean = if self.random.chance(10) { 8000 } else { 700 };
            let away = self.random.around(Duration::from_millis(mean));
            self.away(away.min(Duration::from_secs(25))).await;
        }
        if let Ok(()) = timeout(STEP_MAX, self.client.leave(Manner::Clean)).await {}
    }

    fn is_talking(&self) -> bool {
        *self.phase.borrow() == Phase::Talking
    }

    /// Chooses channels and a name.
    fn become_somebody_else(&mut self) {
        self.doubt();
        self.client.forget(&self.speaker.publisher());
        let count = 1 + self.random.below(self.pace.channels);
        let mut channels = self.world.channels.several(&mut self.random, count, self.world.seconds());
        channels.retain(|channel| self.client.listens_to(channel));
        if channels.is_empty() {
            channels.push(self.world.channels.keep(&mut self.random));
        }
        self.hearings = channels.into_iter().map(|name| (name.clone(), Hearing::new(&name))).collect();
    }

    /// What it said last may have been taken or not: it publishes under another name from here on.
    fn doubt(&mut self) {
        self.unanswered.clear();
        self.tickets.clear();
        self.has_untold = false;
        self.speaker.incarnation += 1;
        self.speaker.since = Instant::now();
    }

    async fn connect(&mut self) -> Result<Joined, Trouble> {
        let channels: Vec<_> = self.hearings.keys().cloned().collect();
        match timeout(STEP_MAX, self.client.connect(&channels)).await {
            Ok(connected) => connected,
            Err(_) => Err(Trouble::Fault("connecting takes too long".into())),
        }
    }

    async fn stay(&mut self) -> Result<(), Trouble> {
        self.say_again().await?;
        let until = Instant::now() + self.random.around(self.pace.stays);
        let mut say = Instant::now() + self.random.around(self.pace.says);
        let mut chore = Instant::now() + self.random.around(self.pace.chores);
        let mut check = Instant::now() + CHECK;
        loop {
            let is_talking = self.is_talking();
            let event = tokio::select! {
                heard = self.client.next() => Event::Heard(heard),
                () = sleep_until(say), if is_talking => Event::Say,
                () = sleep_until(chore), if is_talking => Event::Chore,
                () = sleep_until(until), if is_talking => Event::Leave,
                () = sleep_until(check) => Event::Check,
                _ = self.phase.changed() => Event::Phase,
            };
            match event {
                Event::Heard(heard) => heard?.into_iter().for_each(|heard| self.hear(heard)),
                Event::Say => {
                    self.say().await?;
                    say = Instant::now() + self.random.around(self.pace.says);
                }
                Event::Chore => {
                    let channels: Vec<_> = self.hearings.keys().cloned().collect();
                    self.world.count("chores");
                    in_time("a chore", self.client.chore(&channels)).await?;
                    chore = Instant::now() + self.random.around(self.pace.chores);
                }
                Event::Check => {
                    self.check();
                    check = Instant::now() + CHECK;
                }
                Event::Leave => {
                    let manner = Manner::any(&mut self.random);
                    return in_time("leaving", self.client.leave(manner).map(Ok)).await;
                }
                Event::Phase if *self.phase.borrow() == Phase::Over => {
                    self.check_all();
                    return in_time("leaving", self.client.leave(Manner::Clean).map(Ok)).await;
                }
                Event::Phase => {}
            }
        }
    }

    /// Publishes what had no answer once more, or gives it up.
    async fn say_again(&mut self) -> Result<(), Trouble> {
        self.tickets.clear();
        if self.has_untold {
            self.doubt();
        }
        if self.unanswered.is_empty() {
            return Ok(());
        }
        let restarted = self.world.restarted();
        // Keys of what is in memory alone are forgotten with it.
        let is_known = |(note, sent): &(Note, Moment)| {
            Class::of(&note.channel) == Class::Keep || restarted.is_none_or(|restarted| restarted < *sent)
        };
        if !self.client.has_keys() || !self.unanswered.iter().all(is_known) || self.random.chance(30) {
            self.doubt();
            return Ok(());
        }
        for (note, sent) in std::mem::take(&mut self.unanswered) {
            self.world.count("publications repeated");
            self.send(note, sent).await?;
        }
        Ok(())
    }

    async fn say(&mut self) -> Result<(), Trouble> {
        let own: Vec<_> = self.hearings.keys().cloned().collect();
        let channel = match self.random.chance(75) {
            true => self.random.pick(&own).clone(),
            false => self.world.channels.any(&mut self.random, self.world.seconds()),
        };
        if self.speaker.since.elapsed() > SPEAKER_MAX && self.unanswered.is_empty() {
            self.doubt();
        }
        let publisher = self.speaker.publisher();
        let now = self.world.now();
        let number = self.world.ledger.send(&channel, &publisher, now);
        let padding = if self.random.chance(3) { 4000 } else { self.random.below(200) };
        self.send(Note { channel, publisher, number, padding }, now).await
    }

    async fn send(&mut self, note: Note, sent: Moment) -> Result<(), Trouble> {
        // It has no answer until it has one, also if this breaks off.
        self.unanswered.push((note.clone(), sent));
        self.world.count("publications sent");
        match in_time("publishing", self.client.publish(&note)).await? {
            Said::Taken => self.taken(&note),
            Said::Pending(ticket) => drop(self.tickets.insert(ticket, note)),
            Said::Untold => {
                self.has_untold = true;
                self.unanswered.retain(|(unanswered, _)| *unanswered != note);
            }
            Said::Refused(why) => self.refused(&note, &why),
        }
        Ok(())
    }

    fn taken(&mut self, note: &Note) {
        self.unanswered.retain(|(unanswered, _)| unanswered != note);
        self.world.ledger.acknowledge(&note.channel, &note.publisher, note.number, self.world.now());
        self.world.count("publications acknowledged");
    }

    fn refused(&mut self, note: &Note, why: &str) {
        if self.world.is_excused() {
            self.world.count("publications refused around a restart");
        } else if why.contains("conflict") {
            // What an earlier connection sent is still under way.
            self.world.count("publications repeated too soon");
        } else {
            self.world.fault(&self.speaker.name, format!("publication {} refused: {why}", note.key()));
        }
        self.doubt();
    }

    fn hear(&mut self, heard: Heard) {
        let world = Arc::clone(&self.world);
        match heard {
            Heard::Message { channel, publisher, number } => {
                world.count("messages heard");
                let Some(hearing) = self.hearings.get_mut(&channel) else {
                    return world
                        .fault(&self.speaker.name, format!("hears {channel}, which it did not ask for"));
                };
                if let Some(sent) = world.ledger.sent(&channel, &publisher, number)
                    && hearing.is_live(sent)
                {
                    world.heard(sent);
                }
                if let Err(fault) = hearing.message(&publisher, number, &world.ledger) {
                    world.fault(&self.speaker.name, format!("{channel}: {fault}"));
                }
            }
            Heard::Gap { channel } => {
                world.count(&format!("gaps told on {:?}", Class::of(&channel)).to_lowercase());
                let Some(hearing) = self.hearings.get_mut(&channel) else { return };
                if let Err(fault) = hearing.gap(&world.ledger, world.restarted(), world.now()) {
                    world.fault(&self.speaker.name, format!("{channel}: {fault}"));
                }
            }
            Heard::Taken(ticket) => {
                if let Some(note) = self.tickets.remove(&ticket) {
                    self.taken(&note);
                }
            }
            Heard::Refused(ticket, why) => {
                if let Some(note) = self.tickets.remove(&ticket) {
                    self.refused(&note, &why);
                }
            }
            Heard::Other(what) => world.count(what),
        }
    }

    fn check(&mut self) {
        let now = self.world.now();
        for hearing in self.hearings.values_mut() {
            for fault in hearing.overdue(&self.world.ledger, now) {
                self.world.fault(&self.speaker.name, format!("{}: {fault}", hearing.channel()));
            }
            hearing.forget(&self.world.ledger);
        }
    }

    /// Nothing is on its way any more.
    fn check_all(&mut self) {
        let now = self.world.now();
        for hearing in self.hearings.values_mut().filter(|hearing| hearing.is_settled(now)) {
            for fault in hearing.behind(&self.world.ledger, now) {
                self.world.fault(&self.speaker.name, format!("{}, at the end: {fault}", hearing.channel()));
            }
        }
        self.world.add("channels complete at the end", self.hearings.len() as u64);
    }

    fn breaks_off(&mut self, trouble: &Trouble) {
        match trouble {
            Trouble::Expected(what) => self.world.count(what),
            Trouble::Lost(_) if self.world.is_excused() => {
                self.world.count("connections lost around a restart");
            }
            Trouble::Lost(why) => {
                self.world.fault(&self.speaker.name, format!("lost its connection without a cause: {why}"));
            }
            Trouble::Fault(what) => self.world.fault(&self.speaker.name, what),
        }
    }

    fn leave_channels(&mut self) {
        let now = self.world.now();
        self.hearings.values_mut().for_each(|hearing| hearing.leave(now));
    }

    /// Is away, but for no longer than all others talk.
    async fn away(&mut self, duration: Duration) {
        self.world.count(&format!("visits of {}", self.kind));
        if self.is_talking() {
            let _ = timeout(duration, self.phase.changed()).await;
        } else if *self.phase.borrow() == Phase::Listening {
            sleep(Duration::from_millis(500)).await;
        }
    }
}

/// A step of a client, which may not take for ever.
async fn in_time<T>(what: &str, step: impl Future<Output = Result<T, Trouble>>) -> Result<T, Trouble> {
    match timeout(STEP_MAX, step).await {
        Ok(done) => done,
        Err(_) => Err(Trouble::Fault(format!("{what} takes longer than {} s", STEP_MAX.as_secs()))),
    }
}
