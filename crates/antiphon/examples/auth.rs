//! Who may connect: a middleware looks at what the client sent as `auth`, and keeps who it is with the socket.
//!
//! ```sh
//! cargo run --package antiphon --example auth
//! ```
//!
//! A client to try it with, in Node.js with `socket.io-client`:
//!
//! ```js
//! const socket = require("socket.io-client")("http://localhost:3001", { auth: { token: "ada-1815" } });
//! socket.on("connect_error", (error) => console.log(error.message, error.data));
//! socket.emit("who am I", (name) => console.log(name)); // "Ada"
//! socket.emit("shut down", (response) => console.log(response)); // { error: "only admins may" }
//! ```

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use antiphon::{Auth, ConnectRefused, Disconnect, EventName, Extension, Io, Socket, StartError, State};
use serde::{Deserialize, Serialize};

/// What clients send as `auth`.
#[derive(Deserialize)]
struct Login {
    token: String,
}

/// Who somebody is.
#[derive(Clone)]
struct User {
    name: &'static str,
    is_admin: bool,
}

/// Everybody who may connect, by token. A program would ask its database.
type Users = Arc<HashMap<&'static str, User>>;

/// What a client that is refused finds in its error's `data`.
#[derive(Serialize)]
struct Refusal {
    code: u16,
    hint: &'static str,
}

fn main() -> Result<(), StartError> {
    let users = HashMap::from([
        ("ada-1815", User { name: "Ada", is_admin: false }),
        ("grace-1906", User { name: "Grace", is_admin: true }),
    ]);
    let io = Io::builder().state(Users::new(users)).build();
    let root = io.root();

    // What has no token is refused before this is called.
    root.use_(|socket: Socket, Auth(login): Auth<Login>, State(users): State<Users>| async move {
        // As if there was a database to wait for.
        tokio::time::sleep(Duration::from_millis(10)).await;
        let Some(user) = users.get(login.token.as_str()) else {
            let refusal = Refusal { code: 401, hint: "try ada-1815" };
            return Err(ConnectRefused::new("not authorized").with_data(&refusal));
        };
        // For handlers as it is, and for whoever lists sockets as JSON.
        socket.extensions().insert(user.clone());
        let _ = socket.data().set("name", &user.name);
        Ok(())
    });

    // Every event passes here.
    root.use_packet(|name: EventName, Extension(user): Extension<User>| {
        println!("{} sends {name}", user.name);
    });

    root.on("who am I", |Extension(user): Extension<User>| user.name);

    root.on("shut down", |socket: Socket, Extension(user): Extension<User>| {
        if !user.is_admin {
            return Err("only admins may");
        }
        socket.namespace().disconnect_sockets(Disconnect::Connection);
        Ok(())
    });

    println!("try it with a client of Socket.IO at http://localhost:3001/");
    io.run("localhost:3001")
}
