//! Acknowledgements, both ways.
//!
//! ```sh
//! cargo run --package antiphon --example acks
//! ```
//!
//! A client to try it with, in Node.js with `socket.io-client`:
//!
//! ```js
//! const socket = require("socket.io-client")("http://localhost:3001");
//! socket.on("ping", (number, answer) => answer(number + 1));
//! socket.emit("update", "1", (response) => console.log(response.status)); // "ok"
//! socket.emit("divide", 1, 0, (response) => console.log(response.error)); // "cannot divide by zero"
//! socket.emit("ask me", (answer) => console.log(answer)); // 42
//! socket.emit("ask everybody", (answers) => console.log(answers));
//! ```

use std::time::Duration;

use antiphon::{Ack, Data, Io, Socket, StartError};
use serde::Serialize;

#[derive(Serialize)]
struct Status {
    status: &'static str,
}

fn main() -> Result<(), StartError> {
    let io = Io::new();
    let root = io.root();

    // With an `Ack` the handler says when it answers.
    root.on("update", |Data(argument): Data<String>, ack: Ack| {
        println!("update {argument}");
        ack.send(&Status { status: "ok" })
    });

    // Or it gives back the answer. An error is acknowledged as {"error": "..."}.
    root.on(
        "divide",
        |Data(dividend): Data<f64>, Data(divisor): Data<f64>| {
            if divisor == 0.0 { Err("cannot divide by zero") } else { Ok(dividend / divisor) }
        },
    );

    // The server asks the client, and waits for it. Other events of this socket wait as well: what takes longer belongs into a
    // task, as below.
    root.on("ask me", |socket: Socket| async move {
        let answer = socket.timeout(Duration::from_secs(1)).emit_with_ack("ping", 41)?.await?;
        let number: i64 = answer.parse()?;
        Ok::<_, Box<dyn std::error::Error>>(number)
    });

    // Everybody is asked. Who does not answer in time is missing from the answers.
    root.on("ask everybody", |socket: Socket, ack: Ack| {
        let asked = socket.namespace().timeout(Duration::from_secs(1)).emit_with_ack("ping", 1)?;
        tokio::spawn(async move {
            let (responses, missing) = match asked.await {
                Ok(responses) => (responses, 0),
                Err(late) => (late.responses, late.missing),
            };
            println!("{} answered, {missing} did not", responses.len());
            let numbers: Vec<i64> = responses.iter().filter_map(|one| one.arguments.parse().ok()).collect();
            ack.send(&numbers)
        });
        Ok::<(), antiphon::EmitError>(())
    });

    root.on_error(|socket: Socket, error: &antiphon::HandlerError| println!("{}: {error}", socket.id()));

    println!("try it with a client of Socket.IO at http://localhost:3001/");
    io.run("localhost:3001")
}
