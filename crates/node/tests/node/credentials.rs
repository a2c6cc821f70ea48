//! Credentials that are added and revoked, with a store that takes its time and with real ones.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;

use antiphon_access::{
    Access, Caller, Credential, CredentialError, CredentialKind, CredentialSource, DeviceSettings,
    KeySettings, LimitSettings, OrgSettings, Permission, Secret,
};
use antiphon_hub::{Inbox, Rules};
use antiphon_model::{ChannelPattern, OrgId};
use antiphon_node::{
    CredentialsFailed, Existing, Node, NodeParts, NodeSettings, OrgParts, StoreError, SystemClock,
};
use antiphon_store::{MemoryStore, Store, StoreSettings, StoredCredential};
use futures_util::FutureExt;
use futures_util::task::noop_waker_ref;

use crate::fake::FakeStore;

/// An org with a device of the configuration, and another org; each with an admin's key.
fn settings() -> Vec<OrgSettings> {
    let key = |key: &str, allow| KeySettings {
        key: Some(Secret::new(key)),
        allow: vec![allow],
        channels: vec![ChannelPattern::new("*")],
        ..KeySettings::default()
    };
    let device = DeviceSettings {
        uuid: "configured".into(),
        secret: Some(Secret::new("secret-of-configured")),
        secret_file: None,
        allow: vec![Permission::Subscribe],
        channels: vec![ChannelPattern::new("*")],
    };
    let org = |name: &str| OrgSettings {
        name: name.into(),
        keys: vec![
            key(&format!("{name}-admin"), Permission::Admin),
            key(&format!("{name}-client"), Permission::Publish),
        ],
        limits: LimitSettings { credentials_max: 3, ..LimitSettings::default() },
        ..OrgSettings::default()
    };
    vec![OrgSettings { devices: vec![device], ..org("acme") }, org("other")]
}

fn node(store: Arc<dyn Store>) -> Arc<Node> {
    let settings = settings();
    let parts = |org: &OrgSettings| OrgParts { id: OrgId::new(&org.name), rules: Rules::new([]) };
    let parts = NodeParts {
        settings: NodeSettings::default(),
        store,
        orgs: settings.iter().map(parts).collect(),
        access: Access::load(settings).unwrap(),
        inboxes: vec![Arc::new(Inbox::new(Box::new(|| {})))],
        on_earlier: Box::new(|| {}),
    };
    Node::new(parts, SystemClock::start()).unwrap()
}

fn memory() -> Arc<dyn Store> {
    Arc::new(MemoryStore::new(&StoreSettings::default()).unwrap())
}

fn caller(node: &Node, key: &str) -> Caller {
    node.access().authenticate(Some(key), None, node.now().wall).unwrap()
}

fn device(name: &str, secret: &str) -> Credential {
    Credential::new(CredentialKind::Device, name, &Secret::new(secret), None, None).unwrap()
}

fn wait<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn add(
    node: &Arc<Node>,
    key: &str,
    credential: Credential,
    existing: Existing,
) -> Result<(), CredentialsFailed> {
    wait(node.add_credential(&caller(node, key), credential, existing))
}

fn revoke(node: &Arc<Node>, key: &str, name: &str) -> Result<(), CredentialsFailed> {
    wait(node.revoke_credential(&caller(node, key), CredentialKind::Device, name))
}

fn names(node: &Node, key: &str) -> Vec<String> {
    let listed = node.credentials(&caller(node, key)).unwrap();
    listed.iter().map(|info| info.name.to_string()).collect()
}

fn refused(outcome: Result<(), CredentialsFailed>) -> CredentialError {
    match outcome {
        Err(CredentialsFailed::Credential(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_added_is_there_for_the_next_process() {
    let store = memory();
    let before = node(Arc::clone(&store));
    let door = || device("door", "secret-of-door");
    add(&before, "acme-admin", door(), Existing::Refuse).unwrap();
    add(&before, "acme-admin", device("gone", "secret-of-gone"), Existing::Refuse).unwrap();
    revoke(&before, "acme-admin", "gone").unwrap();
    assert_eq!(names(&before, "acme-admin"), ["configured", "door"]);
    assert_eq!(names(&before, "other-admin"), [""; 0]);

    let after = node(store);
    let listed = after.credentials(&caller(&after, "acme-admin")).unwrap();
    let sources: Vec<_> = listed.iter().map(|info| (&*info.name, info.source)).collect();
    assert_eq!(sources, [("configured", CredentialSource::Configuration), ("door", CredentialSource::Store)]);
    assert_eq!(refused(add(&after, "acme-admin", door(), Existing::Refuse)), CredentialError::Exists);
}

#[test]
fn what_is_refused_changes_nothing() {
    let store = memory();
    let node = node(Arc::clone(&store));
    let door = || device("door", "secret-of-door");
    add(&node, "acme-admin", door(), Existing::Refuse).unwrap();
    let before = store.credentials().unwrap();

    for key in ["acme-client", "other-client"] {
        let error = node.credentials(&caller(&node, key)).unwrap_err();
        assert!(matches!(error, CredentialsFailed::NotAdmin), "{error:?}");
        let error = add(&node, key, door(), Existing::Replace).unwrap_err();
        assert!(matches!(error, CredentialsFailed::NotAdmin), "{error:?}");
        let error = revoke(&node, key, "door").unwrap_err();
        assert!(matches!(error, CredentialsFailed::NotAdmin), "{error:?}");
    }
    assert_eq!(refused(add(&node, "acme-admin", door(), Existing::Refuse)), CredentialError::Exists);
    let configured = || device("configured", "another-secret");
    for existing in [Existing::Refuse, Existing::Replace] {
        let error = refused(add(&node, "acme-admin", configured(), existing));
        assert_eq!(error, CredentialError::InConfiguration);
    }
    assert_eq!(refused(revoke(&node, "acme-admin", "configured")), CredentialError::InConfiguration);
    assert_eq!(refused(revoke(&node, "other-admin", "door")), CredentialError::NotFound);
    assert_eq!(store.credentials().unwrap(), before);

    add(&node, "acme-admin", device("third", "secret-of-third"), Existing::Refuse).unwrap();
    let fourth = device("fourth", "secret-of-fourth");
    assert_eq!(refused(add(&node, "acme-admin", fourth, Existing::Refuse)), CredentialError::TooMany);
    add(&node, "acme-admin", device("door", "new-secret"), Existing::Replace).unwrap();
    assert_ne!(store.credentials().unwrap()[0], before[0]);
    assert_eq!(names(&node, "acme-admin"), ["configured", "door", "third"]);
}

#[test]
fn nothing_counts_before_it_is_stored() {
    let store = FakeStore::new(None);
    let node = node(Arc::clone(&store) as Arc<dyn Store>);
    let admin = caller(&node, "acme-admin");
    let answer = |result: Result<(), StoreError>| {
        let done = store.changes.lock().remove(0);
        done(result);
    };
    let mut adding = pin!(node.add_credential(&admin, device("door", "secret-of-door"), Existing::Refuse));
    assert!(adding.as_mut().now_or_never().is_none());
    assert_eq!(names(&node, "acme-admin"), ["configured"]);
    answer(Err(StoreError::DiskFull));
    let outcome = adding.as_mut().now_or_never();
    assert!(matches!(outcome, Some(Err(CredentialsFailed::NotKept(StoreError::DiskFull)))), "{outcome:?}");
    assert_eq!(names(&node, "acme-admin"), ["configured"]);

    let mut adding = pin!(node.add_credential(&admin, device("door", "secret-of-door"), Existing::Refuse));
    assert!(adding.as_mut().now_or_never().is_none());
    answer(Ok(()));
    assert!(matches!(adding.as_mut().now_or_never(), Some(Ok(()))));
    assert_eq!(names(&node, "acme-admin"), ["configured", "door"]);

    let mut revoking = pin!(node.revoke_credential(&admin, CredentialKind::Device, "door"));
    assert!(revoking.as_mut().now_or_never().is_none());
    answer(Err(StoreError::Overloaded));
    assert!(matches!(revoking.as_mut().now_or_never(), Some(Err(CredentialsFailed::NotKept(_)))));
    assert_eq!(names(&node, "acme-admin"), ["configured", "door"]);
}

#[test]
fn changes_have_one_order_and_go_on_when_nobody_waits() {
    let store = FakeStore::new(None);
    let node = node(Arc::clone(&store) as Arc<dyn Store>);
    let admin = caller(&node, "acme-admin");
    let answer = |result: Result<(), StoreError>| {
        let done = store.changes.lock().remove(0);
        done(result);
    };
    {
        let mut adding = pin!(node.add_credential(&admin, device("door", "first-secret"), Existing::Refuse));
        assert!(adding.as_mut().poll(&mut std::task::Context::from_waker(noop_waker_ref())).is_pending());
    }
    // The second has its turn when the first is in the store, although nobody waits for the first.
    let mut second = pin!(node.add_credential(&admin, device("door", "second-secret"), Existing::Refuse));
    assert!(second.as_mut().now_or_never().is_none());
    assert_eq!(store.changes.lock().len(), 1);
    answer(Ok(()));
    assert_eq!(names(&node, "acme-admin"), ["configured", "door"]);
    let outcome = second.as_mut().now_or_never().expect("it has its turn");
    assert_eq!(refused(outcome), CredentialError::Exists);
    assert!(store.changes.lock().is_empty());

    node.begin_closing();
    let outcome = node.revoke_credential(&admin, CredentialKind::Device, "door").now_or_never();
    assert!(matches!(outcome, Some(Err(CredentialsFailed::Closing))), "{outcome:?}");
}

#[test]
fn what_cannot_be_used_is_left_out_and_stays_in_the_store() {
    let store = memory();
    let keep = |org: &str, kind: &str, name: &str, value: Vec<u8>| {
        let stored = StoredCredential {
            org: OrgId::new(org),
            kind: kind.into(),
            name: name.into(),
            value: value.into(),
        };
        store.put_credential(stored, Box::new(|kept| assert_eq!(kept, Ok(()))));
    };
    keep("acme", "device", "good", device("good", "secret-of-good").to_bytes());
    keep("acme", "device", "bad", b"{}".to_vec());
    keep("acme", "dragon", "x", device("x", "secret-of-x").to_bytes());
    keep("acme", "device", "configured", device("configured", "another-secret").to_bytes());
    keep("former", "device", "door", device("door", "secret-of-door").to_bytes());
    wait(store.flush()).unwrap();
    let node = node(Arc::clone(&store));
    assert_eq!(names(&node, "acme-admin"), ["configured", "good"]);
    assert_eq!(store.credentials().unwrap().len(), 5);
}
