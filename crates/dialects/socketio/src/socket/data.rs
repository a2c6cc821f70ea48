use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

/// What an application keeps with a socket, as JSON by name: servers of a cluster, the admin UI and a recovery see it.
///
/// Takes no memory beside a pointer until something is kept.
#[derive(Default)]
pub struct SocketData(Mutex<Option<Box<Kept>>>);

type Entries = HashMap<Box<str>, Box<RawValue>>;

#[derive(Clone, Default)]
struct Kept {
    entries: Entries,
    /// Whether it is another than when it was looked at last.
    is_changed: bool,
}

impl SocketData {
    /// Keeps a value.
    ///
    /// # Errors
    /// It is nothing that JSON can say.
    pub fn set(&self, name: &str, value: &impl Serialize) -> Result<(), serde_json::Error> {
        let value = serde_json::value::to_raw_value(value)?;
        let mut kept = self.0.lock();
        let kept = kept.get_or_insert_default();
        kept.entries.insert(name.into(), value);
        kept.is_changed = true;
        Ok(())
    }

    /// A value that was kept, if it is of that type.
    pub fn get<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        serde_json::from_str(self.0.lock().as_ref()?.entries.get(name)?.get()).ok()
    }

    /// Drops a value. False if there was none.
    pub fn remove(&self, name: &str) -> bool {
        self.0.lock().as_mut().is_some_and(|kept| {
            let removed = kept.entries.remove(name).is_some();
            kept.is_changed |= removed;
            removed
        })
    }

    /// Everything, as one JSON object.
    pub fn to_json(&self) -> String {
        let kept = self.0.lock();
        kept.as_ref()
            .and_then(|kept| serde_json::to_string(&kept.entries).ok())
            .unwrap_or_else(|| "{}".to_owned())
    }

    /// Replaces everything by the members of a JSON object. Nothing changes if it is none.
    pub fn replace(&self, json: &str) {
        if let Ok(entries) = serde_json::from_str::<Entries>(json) {
            *self.0.lock() = Some(Box::new(Kept { entries, is_changed: true }));
        }
    }

    /// Says whether it has changed since this was last called.
    pub(crate) fn take_change(&self) -> bool {
        self.0.lock().as_mut().is_some_and(|kept| std::mem::take(&mut kept.is_changed))
    }

    pub(crate) fn copy_from(&self, other: &SocketData) {
        let copied = other.0.lock().clone();
        *self.0.lock() = copied;
    }
}

impl fmt::Debug for SocketData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_json())
    }
}

/// What an application keeps with a socket, one value of each type. Seen in this process alone.
///
/// Takes no memory beside a pointer until something is kept.
#[derive(Default)]
pub struct Extensions(Mutex<Option<Box<Values>>>);

type Values = HashMap<TypeId, Arc<dyn Any + Send + Sync>>;

impl Extensions {
    /// Keeps a value, and gives back the one of its type that was there.
    pub fn insert<T: Any + Send + Sync>(&self, value: T) -> Option<Arc<T>> {
        let before = self.0.lock().get_or_insert_default().insert(TypeId::of::<T>(), Arc::new(value));
        before.and_then(|before| before.downcast().ok())
    }

    /// The value of a type.
    pub fn get<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        let value = self.0.lock().as_ref()?.get(&TypeId::of::<T>()).cloned();
        value?.downcast().ok()
    }

    /// Takes the value of a type out.
    pub fn remove<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        let value = self.0.lock().as_mut()?.remove(&TypeId::of::<T>());
        value?.downcast().ok()
    }

    pub(crate) fn copy_from(&self, other: &Extensions) {
        let copied = other.0.lock().clone();
        *self.0.lock() = copied;
    }
}

impl fmt::Debug for Extensions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.0.lock().as_ref().map_or(0, |values| values.len());
        write!(f, "Extensions({count})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_is_kept_as_json_by_name() {
        let data = SocketData::default();
        assert_eq!(data.to_json(), "{}");
        data.set("name", &"Ada").unwrap();
        assert!(data.take_change() && !data.take_change());
        assert_eq!(data.get::<String>("name").as_deref(), Some("Ada"));
        assert_eq!(data.get::<u32>("name"), None);
        assert_eq!(data.to_json(), r#"{"name":"Ada"}"#);
        data.replace(r#"{"age":36}"#);
        assert_eq!((data.get::<u32>("age"), data.get::<String>("name")), (Some(36), None));
        data.replace("[1]");
        assert!(data.remove("age"));
        assert!(!data.remove("age"));
    }

    #[test]
    fn extensions_hold_one_value_of_each_type() {
        let extensions = Extensions::default();
        assert!(extensions.get::<u32>().is_none());
        assert!(extensions.insert(7_u32).is_none());
        assert_eq!(extensions.insert(8_u32).as_deref(), Some(&7));
        extensions.insert("text".to_owned());
        let other = Extensions::default();
        other.copy_from(&extensions);
        assert_eq!(other.get::<u32>().as_deref(), Some(&8));
        assert_eq!(other.remove::<String>().as_deref().map(String::as_str), Some("text"));
        assert!(extensions.get::<String>().is_some() && other.get::<String>().is_none());
    }
}
