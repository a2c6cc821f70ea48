//! Objects: what is known of users and channels beside what they say.

use std::hash::{DefaultHasher, Hash, Hasher};

use antiphon_model::{OrgId, RawJson, Timestamp};
use bytes::Bytes;
use futures_util::future::BoxFuture;

use crate::change::{Operation, Step};
use crate::memory::State;
use crate::question::Inquiry;
use crate::sqlite::{self, Failed, Reading, Writing};
use crate::{Done, ListQuery, Store, StoreError};

/// What an object is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ObjectKind {
    /// A user.
    User,
    /// A channel.
    Channel,
}

/// A user or a channel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Object {
    /// Unique among those of its kind in its org.
    pub id: Box<str>,
    /// What people call it.
    pub name: Option<Box<str>>,
    /// What another system calls it.
    pub external_id: Option<Box<str>>,
    /// Where its picture is.
    pub profile_url: Option<Box<str>>,
    /// The address of a user.
    pub email: Option<Box<str>>,
    /// What a channel is for.
    pub description: Option<Box<str>>,
    /// Whatever status means to the application.
    pub status: Option<Box<str>>,
    /// Whatever type means to the application.
    pub kind: Option<Box<str>>,
    /// A JSON object of the application's.
    pub custom: Option<Box<str>>,
    /// When it was last set, in whole microseconds.
    pub updated: Timestamp,
    /// Stands for all that it says, but for `updated`: two that differ have different ones.
    pub etag: Box<str>,
}

/// What to set of an object: the outer `None` keeps a field, the inner one clears it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObjectPatch {
    /// As of [`Object`], as the others.
    pub name: Option<Option<Box<str>>>,
    /// What another system calls it.
    pub external_id: Option<Option<Box<str>>>,
    /// Where its picture is.
    pub profile_url: Option<Option<Box<str>>>,
    /// The address of a user.
    pub email: Option<Option<Box<str>>>,
    /// What a channel is for.
    pub description: Option<Option<Box<str>>>,
    /// The status.
    pub status: Option<Option<Box<str>>>,
    /// The type.
    pub kind: Option<Option<Box<str>>>,
    /// A JSON object, which replaces the one before as a whole. Of several members of one name it is left open which of them filters see.
    pub custom: Option<Option<Box<str>>>,
}

/// The object is not, or no longer, the one that was to be changed. Nothing was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the object has another eTag")]
pub struct PreconditionFailed;

/// An answer to a list of objects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObjectList {
    /// In the order asked for.
    pub objects: Vec<Object>,
    /// How many the filter lets through, whatever the page. None if not asked for.
    pub total: Option<u64>,
    /// Whether there are more behind the last.
    pub more: bool,
}

impl dyn Store {
    /// Sets fields of an object, which is made if there is none. With `if_match` only if its `etag` is that.
    ///
    /// `done` is told [`StoreError::LimitReached`] if the org has as many as `objects_max` allows, and [`StoreError::Unstorable`] if `custom`
    /// is no JSON object.
    #[allow(clippy::too_many_arguments, reason = "each says another thing")]
    pub fn set_object(
        &self,
        org: &OrgId,
        kind: ObjectKind,
        id: &str,
        patch: ObjectPatch,
        if_match: Option<Box<str>>,
        now: Timestamp,
        done: Done<Result<Object, PreconditionFailed>>,
    ) {
        if let Some(Some(custom)) = &patch.custom
            && let Err(error) = check_custom(custom)
        {
            return done(Err(error));
        }
        let key = ObjectKey { org: org.clone(), kind, id: id.into() };
        self.operate(SetObject { key, patch, if_match, now }, done);
    }

    /// Removes an object. Tells whether there was one. Its memberships stay.
    pub fn remove_object(&self, org: &OrgId, kind: ObjectKind, id: &str, done: Done<bool>) {
        let key = ObjectKey { org: org.clone(), kind, id: id.into() };
        self.operate(RemoveObject { key }, done);
    }

    /// Reads an object. The future may be dropped.
    ///
    /// # Errors
    /// Too many reads wait, the store is closed, or the disk fails.
    pub fn object(
        &self,
        org: &OrgId,
        kind: ObjectKind,
        id: &str,
    ) -> BoxFuture<'static, Result<Option<Object>, StoreError>> {
        self.inquire(OneObject { key: ObjectKey { org: org.clone(), kind, id: id.into() } })
    }

    /// Lists the objects of a kind. The future may be dropped.
    ///
    /// # Errors
    /// [`StoreError::BadQuery`] if the filter or the order cannot be had, [`StoreError::TooExpensive`] after `list_millis_max`; too many
    /// reads wait, the store is closed, or the disk fails.
    pub fn objects(
        &self,
        org: &OrgId,
        kind: ObjectKind,
        query: ListQuery,
    ) -> BoxFuture<'static, Result<ObjectList, StoreError>> {
        self.inquire(Objects { org: org.clone(), kind, query })
    }
}

/// An object among those of all orgs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ObjectKey {
    pub(crate) org: OrgId,
    pub(crate) kind: ObjectKind,
    pub(crate) id: Box<str>,
}

impl Object {
    /// What an object becomes by a patch.
    pub(crate) fn patched(old: Option<&Object>, id: &str, patch: &ObjectPatch, now: Timestamp) -> Object {
        let old = old.cloned().unwrap_or_default();
        let set = |patch: &Option<Option<Box<str>>>, old| patch.clone().unwrap_or(old);
        let object = Object {
            id: id.into(),
            name: set(&patch.name, old.name),
            external_id: set(&patch.external_id, old.external_id),
            profile_url: set(&patch.profile_url, old.profile_url),
            email: set(&patch.email, old.email),
            description: set(&patch.description, old.description),
            status: set(&patch.status, old.status),
            kind: set(&patch.kind, old.kind),
            custom: set(&patch.custom, old.custom),
            updated: set_at(now),
            etag: Box::default(),
        };
        Object { etag: etag(&object.fields()), ..object }
    }

    fn fields(&self) -> [&Option<Box<str>>; 8] {
        [
            &self.name,
            &self.external_id,
            &self.profile_url,
            &self.email,
            &self.description,
            &self.status,
            &self.kind,
            &self.custom,
        ]
    }

    pub(crate) fn bytes(&self) -> usize {
        let fields = self.fields().into_iter().flatten().map(|field| field.len());
        size_of::<Object>() + self.id.len() + fields.sum::<usize>()
    }
}

impl ObjectPatch {
    fn bytes(&self) -> usize {
        let fields = [
            &self.name,
            &self.external_id,
            &self.profile_url,
            &self.email,
            &self.description,
            &self.status,
            &self.kind,
            &self.custom,
        ];
        fields.into_iter().flatten().flatten().map(|field| field.len()).sum()
    }
}

/// As times of objects are told: in microseconds, and with four digits of a year.
pub(crate) fn set_at(now: Timestamp) -> Timestamp {
    const LAST: u64 = 253_402_300_799 * Timestamp::PER_SECOND;
    Timestamp(now.0.min(LAST) / 10 * 10)
}

/// A text that stands for fields.
pub(crate) fn etag(fields: &impl Hash) -> Box<str> {
    let mut hasher = DefaultHasher::new();
    fields.hash(&mut hasher);
    format!("{:016x}", hasher.finish()).into()
}

/// Filters look into it, so it has to be what they expect.
pub(crate) fn check_custom(custom: &str) -> Result<(), StoreError> {
    let is_object = custom.trim_ascii_start().starts_with('{');
    if is_object && RawJson::new(Bytes::copy_from_slice(custom.as_bytes())).is_ok() {
        return Ok(());
    }
    Err(StoreError::Unstorable("custom is a JSON object".into()))
}

struct SetObject {
    key: ObjectKey,
    patch: ObjectPatch,
    if_match: Option<Box<str>>,
    now: Timestamp,
}

impl SetObject {
    /// The object as it is to be, given the one that is there.
    fn apply(&self, old: Option<&Object>) -> Result<Object, PreconditionFailed> {
        if self.if_match.is_some() && self.if_match.as_ref() != old.map(|old| &old.etag) {
            return Err(PreconditionFailed);
        }
        Ok(Object::patched(old, &self.key.id, &self.patch, self.now))
    }
}

impl Operation for SetObject {
    type Outcome = Result<Object, PreconditionFailed>;

    fn bytes(&self) -> usize {
        self.key.id.len() + self.patch.bytes()
    }

    fn in_memory(&mut self, state: &mut State, _: Timestamp) -> Result<Step<Self::Outcome>, StoreError> {
        state.set_object(&self.key, |old| self.apply(old)).map(Step::Done)
    }

    fn in_sqlite(&mut self, writing: &mut Writing<'_>) -> Result<Step<Self::Outcome>, Failed> {
        sqlite::set_object(writing, &self.key, |old| self.apply(old)).map(Step::Done)
    }
}

struct RemoveObject {
    key: ObjectKey,
}

impl Operation for RemoveObject {
    type Outcome = bool;

    fn bytes(&self) -> usize {
        self.key.id.len()
    }

    fn in_memory(&mut self, state: &mut State, _: Timestamp) -> Result<Step<bool>, StoreError> {
        Ok(Step::Done(state.remove_object(&self.key)))
    }

    fn in_sqlite(&mut self, writing: &mut Writing<'_>) -> Result<Step<bool>, Failed> {
        sqlite::remove_object(writing, &self.key).map(Step::Done)
    }
}

struct OneObject {
    key: ObjectKey,
}

impl Inquiry for OneObject {
    type Answer = Option<Object>;

    fn in_memory(&self, state: &State, _: Timestamp) -> Result<Option<Object>, StoreError> {
        Ok(state.object(&self.key).cloned())
    }

    fn in_sqlite(&self, reading: &Reading<'_>) -> Result<Option<Object>, StoreError> {
        sqlite::object(reading, &self.key)
    }
}

struct Objects {
    org: OrgId,
    kind: ObjectKind,
    query: ListQuery,
}

impl Inquiry for Objects {
    type Answer = ObjectList;

    fn in_memory(&self, state: &State, _: Timestamp) -> Result<ObjectList, StoreError> {
        state.objects(&self.org, self.kind, &self.query)
    }

    fn in_sqlite(&self, reading: &Reading<'_>) -> Result<ObjectList, StoreError> {
        sqlite::objects(reading, &self.org, self.kind, &self.query)
    }
}
