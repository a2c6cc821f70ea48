use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, sleep, timeout};

use super::native::fine;
use crate::client::Trouble;
use crate::credentials::KEY;
use crate::random::Random;
use crate::world::{Phase, World};

/// How many bytes a message of `fat.0` has, and how often there is one.
const FAT_BYTES: usize = 24 << 10;
const FAT_EVERY: Duration = Duration::from_millis(150);

/// How much the kernel takes for one who reads slowly.
const RECEIVE_BUFFER: u32 = 4096;

/// Publishes long messages for those who read slowly, as long as the others talk.
pub(crate) async fn feed(world: Arc<World>) {
    let api = world.api.with_token(KEY);
    let payload = json!({"fat": "y".repeat(FAT_BYTES)});
    let phase = world.phase();
    while *phase.borrow() == Phase::Talking {
        match api.post("/v1/channels/fat.0?identity=feeder&store=false").json(&payload).try_send().await {
            Ok(answer) => {
                if let Err(Trouble::Fault(what)) = fine(&answer) {
                    world.fault("feeder", what);
                }
            }
            Err(lost) if !world.is_excused() => world.fault("feeder", lost),
            Err(_) => {}
        }
        sleep(FAT_EVERY).await;
    }
}

/// One who listens to long messages and reads nothing for a while, over and over. The server has to cut it off.
pub(crate) async fn read_slowly(world: Arc<World>, mut random: Random) {
    let phase = world.phase();
    while *phase.borrow() == Phase::Talking {
        let (path, headers) = match random.below(3) {
            0 => ("/v1/channels/fat.0", "Accept: text/event-stream\r\n"),
            1 => ("/v1/channels/fat.0", "Accept: application/x-ndjson\r\n"),
            _ => (
                "/v1/channels/fat.0",
                "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                 Sec-WebSocket-Key: c29hay1zb2FrLXNvYWstcw==\r\n",
            ),
        };
        let asleep = random.between(Duration::from_secs(5), Duration::from_secs(25));
        world.count("visits of slow readers");
        match visit(world.api.address(), path, headers, asleep).await {
            Ok(Ended::CutOff) => world.count("slow readers cut off"),
            Ok(Ended::ReadOn) => world.count("slow readers that caught up"),
            Err(_) if world.is_excused() => {}
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                world.count("slow readers cut off")
            }
            Err(error) => world.fault("slow", error),
        }
    }
}

enum Ended {
    CutOff,
    ReadOn,
}

async fn visit(address: SocketAddr, path: &str, headers: &str, asleep: Duration) -> io::Result<Ended> {
    let socket = TcpSocket::new_v4()?;
    socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
    let mut stream = socket.connect(address).await?;
    let head =
        format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {KEY}\r\n{headers}\r\n");
    stream.write_all(head.as_bytes()).await?;
    sleep(asleep).await;
    read_for(&mut stream, Duration::from_secs(2)).await
}

/// Reads on for a while; whether the server has ended the connection.
async fn read_for(stream: &mut TcpStream, duration: Duration) -> io::Result<Ended> {
    let until = Instant::now() + duration;
    let mut buffer = vec![0; 64 << 10];
    while let Ok(read) =
        timeout(until.saturating_duration_since(Instant::now()), stream.read(&mut buffer)).await
    {
        if read? == 0 {
            return Ok(Ended::CutOff);
        }
    }
    Ok(Ended::ReadOn)
}
