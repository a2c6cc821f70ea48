//! The MQTT broker rumqttd as a program: one listener for MQTT 3.1.1, limits that no load reaches, and otherwise as its own
//! configuration file has it.
//!
//! `rumqttd-peer PORT` listens there on 127.0.0.1, and serves until it is ended.
#![forbid(unsafe_code)]

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};

use rumqttd::{Broker, Config};
use serde_json::json;

fn main() -> Result<(), Box<dyn Error>> {
    let port = std::env::args().nth(1).ok_or("name the port to listen on")?.parse()?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
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
    Ok(Broker::new(config).start()?)
}
