use antiphon_store::StoreSettings;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where messages are kept: `[store]`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
pub(crate) struct StoreSection {
    /// Whether messages are kept in a SQLite file in `data_dir`, or in memory. Default: `sqlite`. With `memory` nothing is written to disk, and
    /// all is lost when the server stops.
    #[serde(default)]
    pub(crate) kind: StoreKind,
    /// How the store behaves.
    #[serde(flatten)]
    pub(crate) behaviour: StoreSettings,
}

/// Where messages are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum StoreKind {
    /// In a file.
    #[default]
    Sqlite,
    /// In memory.
    Memory,
}
