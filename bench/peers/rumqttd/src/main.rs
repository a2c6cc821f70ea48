//! The MQTT broker rumqttd as a program: one listener for MQTT 3.1.1, limits that no load reaches, and otherwise as its own
//! configuration file has it.
//!
//! Says where it listens on standard output, and serves until it is ended.
#![forbid(unsafe_code)]

use std::error::Error;
use std::net::TcpListener;

use rumqttd::{Broker, Config};
use serde_json::json;

fn main() -> Result<(), Box<dyn Error>> {
    // It does not say which port it got, so it is told one that was free a moment ago.
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let config: Config = serde_json::from_value(json!({
        "id": 0,
        "router": {
            "id": 0,
            "max_connections": 20_000,
            "max_outgoing_packet_count": 200,
            "max_segment_size": 100 << 20,
            "max_segment_count": 10,
        },
        "v4": {
            "1": {
                "name": "v4",
                "listen": address,
                "next_connection_delay_ms": 0,
                "connections": {
                    "connection_timeout_ms": 60_000,
                    "max_payload_size": 1 << 20,
                    "max_inflight_count": 100,
                    "dynamic_filters": true,
                },
            },
        },
    }))?;
    println!("listening on http://{address}");
    Ok(Broker::new(config).start()?)
}
