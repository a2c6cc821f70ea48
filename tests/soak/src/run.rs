use std::sync::Arc;
use std::time::Duration;

use antiphon_tests::{Server, raise_open_files};
use rustix::process::Signal;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::channels::Channels;
use crate::clients;
use crate::config;
use crate::credentials::KEY;
use crate::hearing::PATIENCE;
use crate::ledger::Moment;
use crate::random::Random;
use crate::report::{Report, Rest, Stage};
use crate::watch::{Sample, look, processor};
use crate::world::{Phase, World};

/// How often the server is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// For how long it is remembered what was said: longer than anybody publishes under one name.
const REMEMBERED: Moment = 300 * 1_000_000_000;

/// How often what is going on is printed.
const TELL: Duration = Duration::from_secs(10);

/// How often the server is told to read its configuration again.
const RELOAD: Duration = Duration::from_secs(90);

/// For how long the server may keep something of clients that are gone: longer than the longest time in the configuration.
const SETTLES_WITHIN: Duration = Duration::from_secs(90);

/// For how long an idle server is watched.
const IDLE: Duration = Duration::from_secs(5);

/// How long a run is, and how large.
#[derive(Clone, Debug)]
pub struct Options {
    /// Its parts, one after the other, at one server and its data.
    pub parts: Vec<Part>,
    /// How many clients there are.
    pub clients: usize,
    /// The mean time between a client's publications.
    pub says: Duration,
    /// What all choices are drawn from.
    pub seed: u64,
    /// By how many bytes a minute resident memory may rise.
    pub slope_max: f64,
}

/// A part of a run: other clients, who begin anew.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    /// What it is called.
    pub name: &'static str,
    /// For how long clients come and go.
    pub talk: Duration,
    /// How often the server is killed and started again meanwhile.
    pub kills: usize,
}

/// Starts a server and does it all.
///
/// # Panics
/// The server does not start, or cannot be looked at.
pub async fn run(options: &Options) -> Report {
    println!("seed {}: {} clients", options.seed, options.clients);
    raise_open_files(16_384);
    let mut server = Server::start(&config::server()).await;
    let before = rest(&server, 0.0).await;
    let mut stages = Vec::new();
    for (at, part) in options.parts.iter().enumerate() {
        let mut stage = stage(&mut server, options, *part, options.seed + at as u64).await;
        stage.after = settle(&server, &before).await;
        stages.push(stage);
    }
    let log = trouble_in(&server.log());
    server.terminate().await;
    Report { options: options.clone(), before, stages, log }
}

/// Lines of the server's log that say that something is wrong.
fn trouble_in(log: &str) -> Vec<String> {
    let is_trouble = |line: &&str| line.contains("ERROR") || line.contains("panicked");
    log.lines().filter(is_trouble).take(50).map(str::to_owned).collect()
}

/// Clients come and go for so long; then they listen to the end, and leave.
async fn stage(server: &mut Server, options: &Options, part: Part, seed: u64) -> Stage {
    let Part { name, talk, kills } = part;
    println!("---- {name}: {} s", talk.as_secs());
    let api = server.api();
    let world = World::new(api, Channels::for_clients(options.clients));
    let mut tasks = clients::start(&world, options.clients, options.says, seed);
    start_others(&world, options.clients, seed, &mut tasks);
    let mut watching = Watching::new(&world);
    let until = Instant::now() + talk;
    for kill in 0..=kills {
        let until_kill = if kill < kills { Instant::now() + talk / (kills as u32 + 1) } else { until };
        watching.watch(server, until_kill).await;
        if kill < kills {
            world.disturb();
            server.kill9().await;
            sleep(Duration::from_millis(300)).await;
            server.start_again().await;
            world.calm();
            world.count("kills");
        }
    }
    world.enter(Phase::Listening);
    let listen = Duration::from_nanos(PATIENCE) + Duration::from_secs(5);
    watching.watch(server, Instant::now() + listen.min(talk)).await;
    world.enter(Phase::Over);
    let mut left_behind = 0;
    while let Ok(Some(ended)) = timeout(Duration::from_secs(60), tasks.join_next()).await {
        if let Err(error) = ended {
            world.fault("a client", error);
        }
    }
    if !tasks.is_empty() {
        left_behind = tasks.len();
        world.fault("clients", format!("{left_behind} do not come to an end"));
        tasks.abort_all();
    }
    world.bury();
    Stage::new(name, &world, watching.samples, talk.as_secs_f64(), left_behind)
}

/// Those beside the ordinary clients.
fn start_others(world: &Arc<World>, clients: usize, seed: u64, tasks: &mut JoinSet<()>) {
    let random = |who: u64| Random::new(seed, 2_000_000 + who);
    tasks.spawn(clients::feed(Arc::clone(world)));
    for who in 0..(clients as u64 / 40).max(2) {
        tasks.spawn(clients::read_slowly(Arc::clone(world), random(who)));
    }
    tasks.spawn(clients::administrate(Arc::clone(world), random(1_000)));
}

/// Looks at the server over and over.
struct Watching {
    world: Arc<World>,
    samples: Vec<Sample>,
    told: Instant,
    reloaded: Instant,
}

impl Watching {
    fn new(world: &Arc<World>) -> Watching {
        Watching {
            world: Arc::clone(world),
            samples: Vec::new(),
            told: Instant::now(),
            reloaded: Instant::now(),
        }
    }

    async fn watch(&mut self, server: &mut Server, until: Instant) {
        let api = server.api().with_token(KEY);
        let mut next = Instant::now();
        while Instant::now() < until {
            if !server.is_running() {
                self.world.fault("the server", "has ended by itself");
                server.start_again().await;
            }
            let at = self.world.now() as f64 / 1e9;
            match look(server.process_id(), &api, at).await {
                Ok(sample) => self.samples.push(sample),
                Err(error) => self.world.fault("watching", error),
            }
            if self.told.elapsed() >= TELL {
                self.told = Instant::now();
                self.tell();
                self.world.ledger.forget(self.world.now().saturating_sub(REMEMBERED));
            }
            if self.reloaded.elapsed() >= RELOAD {
                self.reloaded = Instant::now();
                server.signal(Signal::HUP);
                self.world.count("reloads");
            }
            self.world.sweep();
            next += LOOK;
            sleep_until(next.min(until)).await;
        }
    }

    /// Prints how it goes, with rates since ten looks ago.
    fn tell(&self) {
        let Some(last) = self.samples.last() else { return };
        let before = &self.samples[self.samples.len().saturating_sub(11)];
        let seconds = (last.at - before.at).max(0.001);
        let rate = |value: fn(&Sample) -> f64| ((value(last) - value(before)) / seconds).max(0.0);
        println!(
            "{:6.0} s  {:5.1} MiB  {:4} fds  {:4.0} sessions  {:4.0} channels  {:5.0} publications/s  {:6.0} deliveries/s  \
             {:4.0} connects/s  {:3.0} % CPU  {} faults",
            last.at,
            last.resident as f64 / 1_048_576.0,
            last.descriptors,
            last.gauges.sessions,
            last.gauges.channels,
            rate(|sample| sample.publications),
            rate(|sample| sample.deliveries),
            rate(|sample| sample.accepted),
            100.0 * rate(|sample| sample.processor),
            self.world.faults().0,
        );
    }
}

/// Waits until nothing of the clients is left, and looks at what remains.
async fn settle(server: &Server, before: &Rest) -> Rest {
    let until = Instant::now() + SETTLES_WITHIN;
    let api = server.api();
    let began = Instant::now();
    loop {
        sleep(LOOK).await;
        let now = look(server.process_id(), &api, 0.0).await.expect("the server answers");
        let is_as_before = now.gauges.left(&before.sample.gauges).is_empty()
            && now.descriptors <= before.sample.descriptors
            && now.threads <= before.sample.threads;
        if is_as_before || Instant::now() > until {
            return rest(server, began.elapsed().as_secs_f64()).await;
        }
    }
}

/// The server while nobody is there.
async fn rest(server: &Server, settled_after: f64) -> Rest {
    let pid = server.process_id();
    // The first requests open what stays open.
    let api = server.api();
    for _ in 0..3 {
        let _ = api.with_token(KEY).get("/v1/channels/rest?limit=1").try_send().await;
    }
    sleep(Duration::from_millis(500)).await;
    let run = processor(pid).expect("the server runs");
    sleep(IDLE).await;
    let idle = (processor(pid).expect("the server runs") - run) / IDLE.as_secs_f64();
    let sample = look(pid, &api, 0.0).await.expect("the server answers");
    Rest { sample, idle, settled_after }
}
