//! What the fuzz targets call, and what their corpora are replayed with. Not for other use.

mod arguments;
mod connect;
mod packets;

pub use arguments::{arguments, builtin};
pub use connect::connect;
pub use packets::{msgpack, packets};

#[cfg(test)]
mod tests {
    use std::path::Path;

    /// What once was found, or seeded, stays harmless.
    fn replay(corpus: &str, target: fn(&[u8])) -> usize {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../fuzz/corpus").join(corpus);
        let entries = std::fs::read_dir(corpus).unwrap().map(|entry| entry.unwrap().path());
        entries.map(|path| target(&std::fs::read(path).unwrap())).count()
    }

    #[test]
    fn the_corpora_are_survived() {
        assert!(replay("socketio_packet", super::packets) > 0);
        assert!(replay("socketio_msgpack", super::msgpack) > 0);
        assert!(replay("socketio_arguments", super::arguments) > 0);
        assert!(replay("socketio_builtin", super::builtin) > 0);
        assert!(replay("socketio_connect", super::connect) > 0);
    }
}
