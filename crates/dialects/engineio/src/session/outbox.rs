use std::collections::VecDeque;

use crate::packet::Packet;

/// What a waiting packet costs besides its data.
const PACKET_BYTES: usize = 64;

/// The packets that wait for the client, bounded in bytes.
#[derive(Debug)]
pub(super) struct Outbox {
    packets: VecDeque<Packet>,
    bytes: usize,
    bytes_max: usize,
}

/// There is no room for the packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Full;

impl Outbox {
    pub(super) fn new(bytes_max: usize) -> Outbox {
        Outbox { packets: VecDeque::new(), bytes: 0, bytes_max }
    }

    /// Appends a packet. One always has room alone, however long it is, or it could never be sent.
    pub(super) fn push(&mut self, packet: Packet) -> Result<(), Full> {
        let bytes = self.bytes.saturating_add(cost(&packet));
        if bytes > self.bytes_max && !self.packets.is_empty() {
            return Err(Full);
        }
        self.bytes = bytes;
        self.packets.push_back(packet);
        Ok(())
    }

    pub(super) fn pop(&mut self) -> Option<Packet> {
        let packet = self.packets.pop_front()?;
        self.bytes -= cost(&packet);
        Some(packet)
    }

    pub(super) fn take_all(&mut self) -> Vec<Packet> {
        self.bytes = 0;
        std::mem::take(&mut self.packets).into()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.packets.is_empty()
    }

    /// What waits, and what it costs to keep.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

fn cost(packet: &Packet) -> usize {
    packet.data_bytes() + PACKET_BYTES
}
