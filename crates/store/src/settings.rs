use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a committed publication survives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Durability {
    /// The end of the process, `kill -9` included. After a power cut or a crash of the operating system the
    /// newest commits may be missing, those of up to about half a minute; the database stays sound.
    #[default]
    Process,
    /// A power cut too, if the disk does not lie about having written. Every group waits for the disk: a few
    /// hundred groups a second on an SSD, far fewer on a spinning disk.
    Power,
}

/// How the store behaves. The data directory is given where it is opened.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct StoreSettings {
    /// What a committed publication survives: `process` (default) or `power`. `power` costs the latency of the
    /// disk on every group. With `process`, a power cut can take back what was acknowledged.
    pub durability: Durability,
    /// Entries that may wait for their commit, 100,000 by default; more are refused as overloaded. Bounds memory
    /// together with `queue_bytes_max`.
    pub queue_entries_max: usize,
    /// Bytes of entries that may wait for their commit, 128 MiB by default. A larger queue rides out longer
    /// stalls of the disk and takes as much memory.
    pub queue_bytes_max: usize,
    /// Entries in one transaction at most, 16,384 by default. Larger groups cost less work for each entry, above all
    /// with many channels; and the first of a group waits for the last, which with thousands of channels can take
    /// a tenth of a second. Only a writer that is behind fills a group.
    pub group_entries_max: usize,
    /// Bytes of entries in one transaction at most, 16 MiB by default; a single larger entry is a group by itself.
    pub group_bytes_max: usize,
    /// Least time from the start of one group to the start of the next, in microseconds, 500 by default. The first
    /// publication after a pause never waits. 0 commits as fast as it can, which at moderate rates costs several
    /// times the CPU; more saves CPU and makes whoever publishes one after another wait as long each time.
    pub group_interval_micros: u64,
    /// How long an idempotency key is remembered, in seconds, 24 hours by default. Every key takes disk space for
    /// that long; a retry that comes later is a new publication.
    pub idempotency_keep_secs: u64,
    /// Publications in one answer to a read at most, 10,000 by default; whoever asks for more reads on.
    pub page_entries_max: usize,
    /// Bytes in one answer to a read at most, 8 MiB by default; one publication is always let through. Times
    /// `readers` this is what reading takes in memory.
    pub page_bytes_max: usize,
    /// Threads that read, 2 by default. SQLite only.
    pub readers: usize,
    /// Reads that may wait for a thread, 4096 by default; more are refused as overloaded. SQLite only.
    pub read_queue_max: usize,
    /// How long to wait for another process that has the database locked, in milliseconds, 1000 by default; then
    /// the group fails as locked. All that is to be stored waits behind it. SQLite only.
    pub busy_timeout_millis: u64,
    /// Size of the database file at most, 0 (default) for no limit but the disk's. When it is reached, publications
    /// that are to be stored are refused until retention has made room. SQLite only.
    pub database_bytes_max: u64,
    /// Memory for database pages at the writer, 64 MiB by default; each reader has an eighth of it besides. With less
    /// than 4 KiB for each channel in use, writing slows down. SQLite only.
    pub page_cache_bytes: usize,
    /// Size at which the write-ahead log is merged into the database by the writer itself, which delays stored
    /// publications while it lasts; 256 MiB by default. At each quarter of it another thread merges without delaying
    /// anybody, so that little is left to do at the limit. Takes up to twice as much disk space; less makes the disk write the
    /// same pages more often. SQLite only.
    pub wal_bytes_max: u64,
    /// Channels whose ids and sizes are kept at hand, 65,536 by default, some 200 bytes each. With more channels
    /// than this in use at once, writing slows down. SQLite only.
    pub channel_cache: usize,
    /// How often retention looks for what has expired, in milliseconds, 1000 by default. Expired publications are
    /// never shown, whether or not they have been removed.
    pub retention_interval_millis: u64,
    /// How long one step of retention may hold up the writer, in milliseconds, 3 by default. Too little, and
    /// removing falls behind writing.
    pub retention_step_millis: u64,
    /// How long the wall clock has to be ahead of where it should be, by more than a minute, before retention goes by it, in seconds,
    /// 10 minutes by default; 0 is at once. What has expired by the clock is not shown meanwhile, but it is there again when the step
    /// is taken back. A clock that is wrong when the server starts is not noticed, and a machine that slept keeps what expired
    /// meanwhile for that much longer. SQLite only.
    pub clock_doubt_secs: u64,
    /// How long an empty channel's place is remembered after its last publication was removed, in seconds, 30 days
    /// by default; never less than `idempotency_keep_secs`. Whoever asks for what came before that is told of a gap
    /// on every channel that is unknown.
    pub forget_channel_secs: u64,
    /// Records that are kept, 1,000,000 by default; those that expire first give way. A dialect keeps one for each session that
    /// is to be recovered after a restart. They take memory in the memory backend, disk in SQLite.
    pub records_max: usize,
    /// Actions on one message at most, 25,000 by default; more are refused. Each takes disk space, or memory in the memory backend, for
    /// as long as its message is kept.
    pub actions_per_message_max: usize,
    /// How long an action is kept whose message is not stored, in seconds, 7 days by default. Anybody who may act on messages can make
    /// such actions, so they must not stay for ever.
    pub actions_without_message_secs: u64,
    /// Objects, users and channels together, that an org has at most, 1,000,000 by default; more are refused. They take memory in the
    /// memory backend, disk in SQLite.
    pub objects_max: usize,
    /// Memberships that an org has at most, 10,000,000 by default; more are refused. They take memory in the memory backend, disk in SQLite.
    pub memberships_max: usize,
    /// Items of one kind that an org has at most, 1,000,000 by default; more are refused. Dialects keep their groups, files, registrations
    /// and revocations as items, each a kind of its own, so that none takes the room of another. They take memory in the memory backend, disk in SQLite.
    pub items_max: usize,
    /// How long one list of objects or memberships may take, in milliseconds, 1000 by default; then it fails. A filter has to look at
    /// every object of the org, and whoever else reads waits meanwhile. SQLite only.
    pub list_millis_max: u64,
    /// Publications that the memory backend keeps, 1,000,000 by default; the oldest give way. The same number of
    /// idempotency keys is kept, and of actions, of which more are refused.
    pub memory_entries_max: usize,
}

impl Default for StoreSettings {
    fn default() -> StoreSettings {
        StoreSettings {
            durability: Durability::Process,
            queue_entries_max: 100_000,
            queue_bytes_max: 128 << 20,
            group_entries_max: 16_384,
            group_bytes_max: 16 << 20,
            group_interval_micros: 500,
            idempotency_keep_secs: 24 * 3600,
            page_entries_max: 10_000,
            page_bytes_max: 8 << 20,
            readers: 2,
            read_queue_max: 4096,
            busy_timeout_millis: 1000,
            database_bytes_max: 0,
            page_cache_bytes: 64 << 20,
            wal_bytes_max: 256 << 20,
            channel_cache: 65_536,
            retention_interval_millis: 1000,
            retention_step_millis: 3,
            clock_doubt_secs: 600,
            forget_channel_secs: 30 * 24 * 3600,
            records_max: 1_000_000,
            actions_per_message_max: 25_000,
            actions_without_message_secs: 7 * 24 * 3600,
            objects_max: 1_000_000,
            memberships_max: 10_000_000,
            items_max: 1_000_000,
            list_millis_max: 1000,
            memory_entries_max: 1_000_000,
        }
    }
}

impl StoreSettings {
    pub(crate) fn idempotency_keep(&self) -> Duration {
        Duration::from_secs(self.idempotency_keep_secs)
    }

    pub(crate) fn forget_channel_after(&self) -> Duration {
        Duration::from_secs(self.forget_channel_secs.max(self.idempotency_keep_secs))
    }

    pub(crate) fn keep_actions_without_message(&self) -> Duration {
        Duration::from_secs(self.actions_without_message_secs)
    }

    pub(crate) fn clock_doubt(&self) -> Duration {
        Duration::from_secs(self.clock_doubt_secs)
    }

    pub(crate) fn retention_step(&self) -> Duration {
        Duration::from_millis(self.retention_step_millis)
    }
}

#[cfg(test)]
mod tests {
    use serde::de::value::{Error, MapDeserializer};

    use super::*;

    fn parse(name: &str, value: u64) -> Result<StoreSettings, Error> {
        StoreSettings::deserialize(MapDeserializer::new([(name, value)].into_iter()))
    }

    #[test]
    fn what_is_not_said_has_its_default_and_unknown_names_are_refused() {
        let expected = StoreSettings { readers: 7, ..StoreSettings::default() };
        assert_eq!(parse("readers", 7), Ok(expected));
        assert!(parse("reader", 7).is_err());
    }
}
