//! The Socket.IO loads' server with the library, as a program of a user's would have it; on one thread, since the suite gives
//! it one core.
//!
//! Says where it listens on standard output, and serves until it is ended.

use antiphon::{Data, Io, Namespace, Socket, StartError};

const ROOM: &str = "bench";

fn main() -> Result<(), StartError> {
    let io = Io::builder().workers(1).build();
    io.root()
        .on("join", |socket: Socket| socket.join(ROOM).map(Data))
        .on("broadcast", |namespace: Namespace, Data(message): Data<String>| {
            namespace.to(ROOM).emit("m", &message)
        })
        .on("echo", |Data(message): Data<String>| message);
    let listening = io.bind("127.0.0.1:0")?;
    for address in listening.addresses() {
        println!("listening on http://{address}");
    }
    loop {
        std::thread::park();
    }
}
