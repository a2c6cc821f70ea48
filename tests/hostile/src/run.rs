use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::args::{Args, Scale};
use crate::attack::{Attack, Findings};
use crate::crowd::{Crowd, log_in};
use crate::foe::Foe;
use crate::ground::Ground;
use crate::judge::Comparison;
use crate::report::{self, Outcome, Report};
use crate::subject::{Subject, raise_open_files};
use crate::tally::Tally;
use crate::{Error, attacks, clock, config};

/// How long the crowd may take to hear what was published before, once an attack is over.
const CATCH_UP_MAX: Duration = Duration::from_secs(10);

/// How long the attackers' connections may stay, once they have gone.
const SETTLE_MAX: Duration = Duration::from_secs(12);

/// How much memory an attack may take while it lasts: some hundred outboxes, and messages that are put together.
const GROWTH_MAX: u64 = 512 << 20;

/// How much of it may be kept for the next time.
const KEPT_MAX: u64 = 160 << 20;

/// How much more the last of several rounds may leave than the first: what one takes the next can use.
const LEAK_MAX: u64 = 48 << 20;

/// How often an attack that the crowd seems to notice is repeated before it is believed.
const REPEATED_MAX: usize = 2;

/// How much attackers may make the server say: who can fill its log fills its disk.
const LOG_MAX: u64 = 512 << 10;

/// The window of what is published between others: nobody looks at it.
const BETWEEN: u32 = 0;

/// Attackers give way to the server and the crowd: in earnest they would have machines of their own.
const NICE: i32 = 10;

/// Runs what the arguments say, with a line for each attack on standard error; true when nothing was wrong.
///
/// # Errors
/// The harness itself cannot go on.
pub fn run(args: &Args) -> Result<bool, Error> {
    let attacks = chosen(args)?;
    if args.list {
        for attack in attacks {
            println!("{:<22} {}", attack.name, attack.what);
        }
        return Ok(true);
    }
    raise_open_files();
    let scale = args.scale();
    let subject = Subject::start(&args.bin, &config::toml(scale.size))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .on_thread_start(|| {
            // Who may not, does without.
            let _ = rustix::process::setpriority_process(None, NICE);
        })
        .enable_all()
        .build()
        .map_err(|source| Error::Machine { what: "threads", source })?;
    let report = runtime.block_on(Run::begin(subject, scale, args.verbose))?;
    let report = runtime.block_on(report.all(&attacks))?;
    if args.json {
        let json = serde_json::to_string_pretty(&report).expect("a report is plain data");
        println!("{json}");
    }
    Ok(report.is_good())
}

fn chosen(args: &Args) -> Result<Vec<Attack>, Error> {
    let all = attacks::all();
    if let Some(name) =
        args.only.iter().find(|name| !all.iter().any(|one| one.name.starts_with(name.as_str())))
    {
        return Err(Error::NoSuchAttack(name.clone()));
    }
    let wanted = |one: &Attack| {
        args.only.is_empty() || args.only.iter().any(|name| one.name.starts_with(name.as_str()))
    };
    Ok(all.into_iter().filter(wanted).collect())
}

struct Run {
    subject: Subject,
    scale: Scale,
    verbose: bool,
    tally: Arc<Tally>,
    token: Arc<str>,
    /// How many connections the server has when nobody attacks it.
    connections: u64,
    window: u32,
    report: Report,
}

impl Run {
    async fn begin(subject: Subject, scale: Scale, verbose: bool) -> Result<Run, Error> {
        let address = subject.address();
        let token: Arc<str> = log_in(address).await.map_err(Error::Crowd)?.into();
        let tally = Arc::new(Tally::new(scale.clients));
        let begun = Instant::now();
        Crowd::start(address, scale.clients, scale.rate, &token, &tally)?;
        eprintln!(
            "{} clients and a publisher of {} messages/s are connected after {:.1} s",
            scale.clients,
            scale.rate,
            begun.elapsed().as_secs_f64()
        );
        let report = Report { clients: scale.clients, rate: scale.rate, ..Report::default() };
        let mut run = Run { subject, scale, verbose, tally, token, connections: 0, window: BETWEEN, report };
        // Everybody has to have heard something, so that what comes next is expected.
        sleep(scale.window).await;
        run.catch_up().await.map_err(Error::Crowd)?;
        run.connections = run.settled_connections().await?;
        run.report.resident_before = run.resident()?;
        Ok(run)
    }

    async fn all(mut self, attacks: &[Attack]) -> Result<Report, Error> {
        eprintln!("{}", report::head());
        for attack in attacks {
            let outcome = self.one(attack).await?;
            eprintln!("{}", outcome.line());
            if self.verbose {
                outcome.seen.iter().for_each(|(what, count)| eprintln!("    {count:>7}  {what}"));
            }
            self.report.attacks.push(outcome);
        }
        self.finish().await
    }

    /// One attack, in turn with quiet windows.
    async fn one(&mut self, attack: &Attack) -> Result<Outcome, Error> {
        let before = self.resident()?;
        let said_before = self.subject.log_bytes();
        let watch = Watch::begin(&self.subject);
        let (mut quiet, mut attacked) = (Vec::new(), Vec::new());
        let mut findings = Findings::default();
        let mut wrong = Vec::new();
        let mut after_first = None;
        let mut repeated = 0;
        let latency = loop {
            for _ in 0..self.scale.rounds {
                let windows = [self.next_window(), self.next_window()];
                self.tally.begin(windows[0]);
                sleep(self.scale.window).await;
                self.tally.begin(windows[1]);
                findings.add((attack.run)(self.ground()).await);
                self.tally.begin(BETWEEN);
                if let Err(late) = self.catch_up().await {
                    wrong.push(late);
                }
                quiet.push(self.tally.end(windows[0]));
                attacked.push(self.tally.end(windows[1]));
                after_first = after_first.or(self.subject.usage().map(|usage| usage.resident));
            }
            // What the machine does besides passes; what the attack does comes again.
            let latency = Comparison::of(&quiet, &attacked);
            if repeated == REPEATED_MAX || latency.complaints(self.scale.floor).is_empty() {
                break latency;
            }
            repeated += 1;
        };
        let gone = Instant::now();
        if let Err(left) = self.settle().await? {
            wrong.push(left);
        }
        let settled = gone.elapsed();
        let after = self.resident()?;
        let most = watch.end().max(after);
        wrong.extend(latency.complaints(self.scale.floor));
        wrong.extend(self.tally.complaints());
        wrong.extend(findings.wrong.iter().map(|(what, count)| format!("{count} times: {what}")));
        wrong.extend(memory_complaints(before, most, after_first.unwrap_or(after), after));
        let said = self.subject.log_bytes().saturating_sub(said_before);
        if said > LOG_MAX {
            wrong.push(format!("the server wrote {} KiB of log", said >> 10));
        }
        Ok(Outcome {
            name: attack.name,
            rounds: findings.rounds,
            seen: findings.seen,
            latency,
            resident: [before, most, after],
            settled_ms: settled.as_millis() as u64,
            wrong,
        })
    }

    async fn finish(mut self) -> Result<Report, Error> {
        if let Err(late) = self.catch_up().await {
            self.report.wrong.push(late);
        }
        self.report.wrong.extend(self.tally.complaints());
        self.report.wrong.extend(self.subject.panics());
        (self.report.published, self.report.acknowledged) = self.tally.published();
        // What is under way at this moment need not be acknowledged yet.
        if self.report.published - self.report.acknowledged > u64::from(self.scale.rate) {
            self.report.wrong.push("publications were not acknowledged".to_owned());
        }
        self.report.heard = self.tally.heard();
        self.report.resident_after = self.resident()?;
        let Report { published, acknowledged, heard, resident_before, resident_after, .. } = self.report;
        eprintln!(
            "{published} messages published, {acknowledged} acknowledged, {heard} heard; {} MiB before, {} MiB after",
            resident_before >> 20,
            resident_after >> 20
        );
        for what in &self.report.wrong {
            eprintln!("WRONG: {what}");
        }
        let bad = self.report.attacks.iter().filter(|attack| !attack.wrong.is_empty()).count();
        eprintln!("{} attacks, {bad} of them with something wrong", self.report.attacks.len());
        if !self.report.is_good() {
            eprintln!("---- the end of the server's log\n{}\n----", self.subject.log_end());
        }
        Ok(self.report)
    }

    fn next_window(&mut self) -> u32 {
        self.window += 1;
        self.window
    }

    fn ground(&self) -> Ground {
        Ground {
            address: self.subject.address(),
            until: tokio::time::Instant::now() + self.scale.window,
            size: self.scale.size,
            token: Arc::clone(&self.token),
        }
    }

    fn resident(&mut self) -> Result<u64, Error> {
        match self.subject.usage() {
            Some(usage) => Ok(usage.resident),
            None => Err(Error::Server(self.subject.ended().unwrap_or_else(|| "it has gone".to_owned()))),
        }
    }

    /// Waits until everybody has heard all that is published by now.
    async fn catch_up(&self) -> Result<(), String> {
        let (published, _) = self.tally.published();
        let until = Instant::now() + CATCH_UP_MAX;
        while self.tally.behind(published) > 0 {
            if Instant::now() > until {
                let some = self.tally.who_is_behind(published);
                return Err(format!(
                    "{} clients have not heard message {published}, among them {some:?}",
                    self.tally.behind(published)
                ));
            }
            sleep(clock::LOOK).await;
        }
        Ok(())
    }

    /// Waits until the attackers' connections are gone; the inner error says what is left.
    async fn settle(&mut self) -> Result<Result<(), String>, Error> {
        let until = Instant::now() + SETTLE_MAX;
        loop {
            let connections = self.settled_connections().await?;
            if connections <= self.connections {
                return Ok(Ok(()));
            }
            if Instant::now() > until {
                let left = connections - self.connections;
                return Ok(Err(format!("{left} connections of attackers are left")));
            }
            sleep(clock::LOOK * 5).await;
        }
    }

    /// How many connections the server has, that which asks among them.
    async fn settled_connections(&mut self) -> Result<u64, Error> {
        let asking = async {
            let mut foe = Foe::neighbour(self.subject.address()).await?;
            foe.ask(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await
        };
        let (_, metrics) = match asking.await {
            Ok(answer) => answer,
            Err(wrong) => return Err(Error::Server(self.subject.ended().unwrap_or(wrong))),
        };
        let connections = metrics.lines().find_map(|line| line.strip_prefix("antiphon_connections "));
        let connections = connections.and_then(|count| count.trim().parse().ok());
        connections.ok_or_else(|| Error::Server("its metrics do not count connections".to_owned()))
    }
}

fn memory_complaints(before: u64, most: u64, after_first: u64, after: u64) -> Vec<String> {
    let more = |what: &str, from: u64, to: u64, most: u64| {
        let grown = to.saturating_sub(from);
        (grown > most).then(|| format!("{what} {} MiB more memory", grown >> 20))
    };
    [
        more("it takes", before, most, GROWTH_MAX),
        more("it leaves", before, after, KEPT_MAX),
        more("each round leaves more, the last", after_first, after, LEAK_MAX),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Looks at the server's memory while an attack lasts.
struct Watch {
    most: Arc<AtomicU64>,
    over: Arc<AtomicBool>,
}

impl Watch {
    fn begin(subject: &Subject) -> Watch {
        let watch = Watch { most: Arc::default(), over: Arc::default() };
        let (most, over) = (Arc::clone(&watch.most), Arc::clone(&watch.over));
        let process = subject.process();
        std::thread::spawn(move || {
            while !over.load(Ordering::Acquire) {
                most.fetch_max(process.usage().map_or(0, |usage| usage.resident), Ordering::AcqRel);
                std::thread::sleep(clock::LOOK * 2);
            }
        });
        watch
    }

    fn end(self) -> u64 {
        self.over.store(true, Ordering::Release);
        self.most.load(Ordering::Acquire)
    }
}
