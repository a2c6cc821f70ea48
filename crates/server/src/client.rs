//! A client of the native protocol over HTTP.

mod connection;
mod message;
mod payload;
mod subscribe;

use std::io::{self, Write};

use serde::Deserialize;

use self::connection::flags_query;
pub(crate) use self::connection::{Connection, Query, encoded};
pub(crate) use self::message::Printable;
use self::message::{Message, Printer, Reply};
use self::payload::Payload;
pub(crate) use self::subscribe::subscribe;
use crate::args::{BroadcastArgs, FlagArgs, HistoryArgs, PayloadArgs, PublishArgs};
use crate::failure::Failure;

/// How many messages are asked for at a time.
const PAGE: usize = 1000;

/// Publishes, and prints the position.
///
/// # Errors
/// The server cannot be reached or refuses, or the payload cannot be read.
pub(crate) fn publish(args: &PublishArgs) -> Result<(), Failure> {
    #[derive(Deserialize)]
    struct Published {
        position: String,
    }
    // Without a token the server knows nobody's name but one it is told.
    if args.idempotency_key.is_some() && args.server.identity.is_none() && args.server.token.is_none() {
        return Err(Failure::new("--idempotency-key counts for one publisher: say who, with --identity"));
    }
    let connection = Connection::new(&args.server)?;
    let payload = Payload::read(&args.payload)?;
    let mut query = payload_query(&args.payload, args.flags);
    if args.no_store {
        query.add("store", "false");
    }
    if let Some(ttl) = &args.ttl {
        query.add("ttl", ttl);
    }
    let path = connection::channel_path(&args.channel, "");
    let mut request = connection.request("POST", &path, &query);
    if let Some(key) = &args.idempotency_key {
        request = request.header("idempotency-key", key);
    }
    let published: Published =
        connection.answer(request.header("content-type", payload.content_type), payload.bytes)?;
    Ok(writeln!(io::stdout(), "{}", published.position)?)
}

/// Broadcasts, and prints the replies.
///
/// # Errors
/// As [`publish`]; or there were fewer replies than asked for.
pub(crate) fn broadcast(args: &BroadcastArgs) -> Result<(), Failure> {
    #[derive(Deserialize)]
    struct Replies {
        replies: Vec<Reply>,
        complete: bool,
    }
    let connection = Connection::new(&args.server)?.waiting(args.timeout.0);
    let payload = Payload::read(&args.payload)?;
    let mut query = payload_query(&args.payload, args.flags);
    query.add("timeout", args.timeout.0.as_millis());
    if let Some(until) = args.until {
        query.add("until", until);
    }
    let path = connection::channel_path(&args.channel, "/broadcasts");
    let request = connection.request("POST", &path, &query).header("content-type", payload.content_type);
    let answer: Replies = connection.answer(request, payload.bytes)?;
    let mut stdout = io::stdout().lock();
    for reply in &answer.replies {
        reply.print(args.raw, &mut stdout)?;
    }
    match args.until {
        Some(until) if !answer.complete => {
            Err(Failure::new(format!("{} of {until} replies came in {}", answer.replies.len(), args.timeout)))
        }
        _ => Ok(()),
    }
}

/// Prints what a channel has kept.
///
/// # Errors
/// The server cannot be reached or refuses.
pub(crate) fn history(args: &HistoryArgs) -> Result<(), Failure> {
    #[derive(Deserialize)]
    struct Page {
        messages: Vec<Message>,
        position: String,
        gap: bool,
    }
    let connection = Connection::new(&args.server)?;
    let printer = Printer::new(args.output, 1);
    let path = connection::channel_path(&args.channel, "");
    let (mut since, mut left) = (args.since.clone(), args.limit.get());
    let mut stdout = io::stdout().lock();
    while left > 0 {
        let mut query = flags_query(args.flags);
        query.add("limit", left.min(PAGE));
        if let Some(since) = &since {
            query.add("since", since);
        }
        let page: Page = connection.answer(connection.request("GET", &path, &query), Vec::new())?;
        if page.gap {
            eprintln!(
                "antiphon: some of what came after {} is no longer kept",
                since.as_deref().unwrap_or("0")
            );
        }
        for message in &page.messages {
            printer.print(message, &mut stdout)?;
        }
        left = left.saturating_sub(page.messages.len());
        // Without a position the newest were asked for: there is nothing after them.
        if page.messages.is_empty() || since.is_none() {
            break;
        }
        since = Some(page.position);
    }
    Ok(())
}

fn payload_query(args: &PayloadArgs, flags: FlagArgs) -> Query {
    let mut query = flags_query(flags);
    if let Some(name) = &args.name {
        query.add("name", name);
    }
    if let Some(meta) = &args.meta {
        query.add("meta", meta);
    }
    query
}
