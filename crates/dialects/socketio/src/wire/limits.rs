/// What a packet of a peer may take. How deep it may nest is [`antiphon_model::JSON_DEPTH_MAX`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Binary attachments of one packet. Default: 10, as the reference server has it.
    pub attachments_max: usize,
    /// Bytes of one packet, its attachments included. Default: 4 000 000. What a connection has to keep while attachments
    /// are due, so it is to be paid for each connection.
    pub packet_bytes_max: usize,
    /// Decimal digits of an acknowledgement's id. Default: 16, which holds every integer that a JavaScript number holds
    /// exactly; more is never taken.
    pub ack_id_digits_max: usize,
    /// Bytes of a namespace, the query of version 4 included. Default: 2048: tokens stand in that query.
    pub namespace_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            attachments_max: 10,
            packet_bytes_max: 4_000_000,
            ack_id_digits_max: 16,
            namespace_bytes_max: 2048,
        }
    }
}
