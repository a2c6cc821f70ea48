//! Certificates of clients: whose they are, for how long, and what is left of them after a reload.

#![allow(clippy::unwrap_used, reason = "the helpers of tests may panic as tests may")]

mod authority;

use antiphon_access::{Access, AuthError, CertificateRefused, Naming, Permission, SettingsProblem};
use antiphon_model::{ChannelFlags, ChannelId, IdentityKind, Timestamp};
use rcgen::{DnType, ExtendedKeyUsagePurpose, SanType, date_time_ymd};
use rustls_pki_types::CertificateDer;

use authority::{Authority, Files, client, load, org, settings};

/// 2025-01-01.
const NOW: Timestamp = Timestamp(1_735_689_600 * Timestamp::PER_SECOND);
/// 2030-01-01.
const END: Timestamp = Timestamp(1_893_456_000 * Timestamp::PER_SECOND);

fn who(access: &Access, chain: &[CertificateDer<'static>]) -> Result<(String, String), CertificateRefused> {
    match access.authenticate_certificate(chain, NOW) {
        Ok(caller) => Ok((caller.org.to_string(), caller.identity.id.to_string())),
        Err(AuthError::Certificate(refused)) => Err(refused),
        Err(error) => panic!("{error}"),
    }
}

fn is(org: &str, id: &str) -> Result<(String, String), CertificateRefused> {
    Ok((org.to_owned(), id.to_owned()))
}

/// Orgs with an authority of their own each, and the authorities.
fn two_orgs(files: &Files) -> (Access, [Authority; 2]) {
    let authorities = ["acme", "globex"].map(Authority::root);
    let orgs = ["acme", "globex"]
        .iter()
        .zip(&authorities)
        .map(|(name, authority)| org(name, vec![settings(&files.write(name, &authority.pem()), "")]));
    (load(orgs.collect()).unwrap(), authorities)
}

#[test]
fn a_certificate_is_an_identity_of_the_org_whose_authority_signed_it() {
    let files = Files::new();
    let (access, [acme, globex]) = two_orgs(&files);
    let chain = acme.signs(&client("sensor-7", 7));
    let caller = access.authenticate_certificate(&chain, NOW).unwrap();
    assert_eq!(caller.identity.kind, IdentityKind::Device);
    assert_eq!((caller.naming, caller.expires), (Naming::Named, Some(END)));
    let channel = ChannelId::new("a", ChannelFlags::NONE).unwrap();
    assert!(caller.may(Permission::Publish, &channel).is_ok() && !caller.is_admin());
    assert_eq!(who(&access, &chain), is("acme", "sensor-7"));
    assert_eq!(who(&access, &globex.signs(&client("sensor-7", 7))), is("globex", "sensor-7"));
    let stranger = Authority::root("acme");
    assert_eq!(
        who(&access, &stranger.signs(&client("sensor-7", 7))),
        Err(CertificateRefused::UnknownAuthority),
        "of an authority that only has the name"
    );
}

#[test]
fn what_is_no_client_s_is_refused() {
    let files = Files::new();
    let (access, [acme, _]) = two_orgs(&files);
    let mut server = client("sensor-7", 7);
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    assert_eq!(who(&access, &acme.signs(&server)), Err(CertificateRefused::UnknownAuthority));
    assert_eq!(who(&access, &[acme.certificate()]), Err(CertificateRefused::UnknownAuthority));
    assert_eq!(who(&access, &[]), Err(CertificateRefused::Malformed));
    assert_eq!(who(&access, &[CertificateDer::from(vec![0x30, 0])]), Err(CertificateRefused::Malformed));
    assert_eq!(who(&access, &acme.signs(&client("a\u{7}", 7))), Err(CertificateRefused::NoIdentity));
    assert_eq!(who(&access, &acme.signs(&client(&"x".repeat(129), 7))), Err(CertificateRefused::NoIdentity));
}

#[test]
fn a_certificate_has_its_time() {
    let files = Files::new();
    let (access, [acme, _]) = two_orgs(&files);
    let chain = acme.signs(&client("sensor-7", 7));
    let at = |now| access.authenticate_certificate(&chain, now).map(|caller| caller.has_expired(now));
    let early = Timestamp(1_500_000_000 * Timestamp::PER_SECOND);
    assert_eq!(at(early), Err(AuthError::Certificate(CertificateRefused::NotYetValid)));
    assert_eq!(at(NOW), Ok(false));
    assert_eq!(at(Timestamp(END.0 - Timestamp::PER_SECOND)), Ok(false));
    let late = Timestamp(END.0 + Timestamp::PER_SECOND);
    assert_eq!(at(late), Err(AuthError::Certificate(CertificateRefused::Expired)));
    let caller = access.authenticate_certificate(&chain, NOW).unwrap();
    assert!(!caller.has_expired(NOW) && caller.has_expired(END), "those who are connected end with it");
}

#[test]
fn the_settings_say_which_name_counts_and_what_it_may() {
    let files = Files::new();
    let acme = Authority::root("acme");
    let ca_file = files.write("ca", &acme.pem());
    let mut params = client("common", 1);
    params.subject_alt_names = vec![
        SanType::DnsName("first.example".try_into().unwrap()),
        SanType::DnsName("second.example".try_into().unwrap()),
        SanType::URI("spiffe://acme/a".try_into().unwrap()),
        SanType::Rfc822Name("ann@example.com".try_into().unwrap()),
    ];
    let chain = acme.signs(&params);
    for (name, expected) in [
        ("common_name", "common"),
        ("dns", "first.example"),
        ("uri", "spiffe://acme/a"),
        ("email", "ann@example.com"),
    ] {
        let more =
            format!("identity = \"{name}\"\nkind = \"user\"\nallow = [\"subscribe\"]\nchannels = [\"a.*\"]");
        let access = load(vec![org("acme", vec![settings(&ca_file, &more)])]).unwrap();
        let caller = access.authenticate_certificate(&chain, NOW).unwrap();
        assert_eq!((&*caller.identity.id, caller.identity.kind), (expected, IdentityKind::User));
        let may = |permission, name| {
            caller.may(permission, &ChannelId::new(name, ChannelFlags::NONE).unwrap()).is_ok()
        };
        assert!(may(Permission::Subscribe, "a.b"));
        assert!(!may(Permission::Publish, "a.b") && !may(Permission::Subscribe, "b"));
    }
    let access = load(vec![org("acme", vec![settings(&ca_file, "identity = \"dns\"")])]).unwrap();
    assert_eq!(who(&access, &acme.signs(&client("common", 1))), Err(CertificateRefused::NoIdentity));
}

#[test]
fn of_authorities_above_each_other_the_nearest_counts() {
    let files = Files::new();
    let root = Authority::root("root");
    let (middle, other) = (root.below("middle"), root.below("other"));
    let orgs = || {
        let authority = |name, authority: &Authority| settings(&files.write(name, &authority.pem()), "");
        [org("above", vec![authority("root", &root)]), org("below", vec![authority("middle", &middle)])]
    };
    let with = |certificate: CertificateDer<'static>, mut chain: Vec<CertificateDer<'static>>| {
        chain.push(certificate);
        chain
    };
    let [above, below] = orgs();
    for orgs in [vec![above.clone(), below.clone()], vec![below, above]] {
        let access = load(orgs).unwrap();
        let alone = middle.signs(&client("a", 1));
        assert_eq!(who(&access, &alone), is("below", "a"));
        assert_eq!(who(&access, &with(middle.certificate(), alone)), is("below", "a"));
        let chain = with(middle.certificate(), middle.signs(&client("b", 2)));
        assert_eq!(who(&access, &chain), is("below", "b"), "whatever its client sends along");
        let alone = other.signs(&client("c", 3));
        assert_eq!(who(&access, &alone), Err(CertificateRefused::UnknownAuthority));
        let caller = access.authenticate_certificate(&with(other.certificate(), alone), NOW).unwrap();
        assert_eq!(caller.org.as_str(), "above");
    }
}

#[test]
fn a_way_up_has_an_end() {
    let files = Files::new();
    let root = Authority::root("root");
    let access = load(vec![org("acme", vec![settings(&files.write("ca", &root.pem()), "")])]).unwrap();
    let mut above = vec![root.below("1")];
    for number in 2..=4 {
        above.push(above.last().unwrap().below(&number.to_string()));
    }
    for (count, expected) in [(3, is("acme", "a")), (4, Err(CertificateRefused::UnknownAuthority))] {
        let mut chain = above[count - 1].signs(&client("a", 1));
        chain.extend(above[..count].iter().rev().map(Authority::certificate));
        assert_eq!(who(&access, &chain), expected, "{count} authorities");
    }
    // All have one name, so that each could be above each.
    let maze: Vec<Authority> = (0..3).map(|_| Authority::root("maze")).collect();
    let mut chain = maze[0].signs(&client("a", 1));
    chain.extend(maze.iter().map(Authority::certificate));
    assert_eq!(who(&access, &chain), Err(CertificateRefused::UnknownAuthority));
}

#[test]
fn an_authority_is_one_org_s() {
    let files = Files::new();
    let acme = Authority::root("acme");
    let own = || settings(&files.write("ca", &acme.pem()), "");
    for orgs in
        [vec![org("acme", vec![own()]), org("globex", vec![own()])], vec![org("acme", vec![own(), own()])]]
    {
        let number = orgs.last().unwrap().certificate_authorities.len();
        let error = load(orgs).unwrap_err();
        assert!(
            matches!(error.problem, SettingsProblem::CertificateAuthority(found, _) if found == number),
            "{error}"
        );
        assert!(error.to_string().ends_with("this authority is in the settings twice"), "{error}");
    }
    let globex = Authority::root("globex");
    let both = settings(&files.write("both", &(acme.pem() + &globex.pem())), "");
    let access = load(vec![org("acme", vec![both])]).unwrap();
    for authority in [&acme, &globex] {
        assert_eq!(who(&access, &authority.signs(&client("a", 1))), is("acme", "a"));
    }
}

#[test]
fn files_that_are_none_are_refused() {
    let files = Files::new();
    let (acme, list) = (Authority::root("acme"), Authority::root("acme").revokes(&[]));
    let ca_file = files.write("ca", &acme.pem());
    let empty = files.write("empty", "");
    let broken = files.write("broken", &acme.pem().replace("MII", "MI"));
    let list = files.write("list", &list);
    for (ca_file, crl_file, expected) in [
        (&files.path("none"), None, "none: No such file"),
        (&empty, None, "empty: no certificate in PEM"),
        (&broken, None, "broken: "),
        (&list, None, "list: no certificate in PEM"),
        (&ca_file, Some(&ca_file), "ca: no certificate revocation list in PEM"),
        (&ca_file, Some(&empty), "empty: no certificate revocation list in PEM"),
    ] {
        let mut authority = settings(ca_file, "");
        authority.crl_file = crl_file.cloned();
        let error = load(vec![org("acme", vec![authority])]).unwrap_err().to_string();
        assert!(error.contains("certificate_authority 1") && error.contains(expected), "{error}");
    }
}

#[test]
fn a_revoked_certificate_is_refused_and_its_callers_end_at_a_reload() {
    let files = Files::new();
    let acme = Authority::root("acme");
    let crl_file = files.write("crl", &acme.revokes(&[1]));
    let ca_file = files.write("ca", &acme.pem());
    let mut authority = settings(&ca_file, "");
    authority.crl_file = Some(crl_file);
    let access = load(vec![org("acme", vec![authority])]).unwrap();
    let [revoked, going, staying] =
        [1, 2, 3].map(|number| acme.signs(&client(&format!("c{number}"), number)));
    assert_eq!(who(&access, &revoked), Err(CertificateRefused::Revoked));
    let connected = |chain| access.authenticate_certificate(chain, NOW).unwrap();
    let (gone, stayed) = (connected(&going), connected(&staying));
    access.reload().unwrap();
    assert!(!gone.has_expired(NOW) && !stayed.has_expired(NOW));
    files.write("crl", &acme.revokes(&[1, 2]));
    assert!(!connected(&going).has_expired(NOW), "files are read at a reload");
    access.reload().unwrap();
    assert!(gone.has_expired(NOW) && !stayed.has_expired(NOW));
    assert_eq!(who(&access, &going), Err(CertificateRefused::Revoked));
    assert_eq!(who(&access, &staying), is("acme", "c3"));
    files.write("crl", "broken");
    access.reload().unwrap_err();
    assert_eq!(
        who(&access, &going),
        Err(CertificateRefused::Revoked),
        "a list that is broken changes nothing"
    );
    assert!(!stayed.has_expired(NOW));
}

#[test]
fn the_callers_of_an_authority_that_is_replaced_end() {
    let files = Files::new();
    let (former, next) = (Authority::root("former"), Authority::root("next"));
    let ca_file = files.write("ca", &former.pem());
    let access = load(vec![org("acme", vec![settings(&ca_file, "")])]).unwrap();
    let chain = former.signs(&client("a", 1));
    let before = access.authenticate_certificate(&chain, NOW).unwrap();
    files.write("ca", &(former.pem() + &next.pem()));
    access.reload().unwrap();
    assert!(!before.has_expired(NOW));
    let beside = access.authenticate_certificate(&chain, NOW).unwrap();
    files.write("ca", &next.pem());
    access.reload().unwrap();
    assert!(before.has_expired(NOW) && beside.has_expired(NOW));
    assert_eq!(who(&access, &chain), Err(CertificateRefused::UnknownAuthority));
    assert_eq!(who(&access, &next.signs(&client("a", 1))), is("acme", "a"));
}

#[test]
fn there_has_to_be_a_list_of_each_authority_on_the_way() {
    let files = Files::new();
    let root = Authority::root("root");
    let middle = root.below("middle");
    let mut authority = settings(&files.write("ca", &root.pem()), "");
    authority.crl_file = Some(files.write("crl", &root.revokes(&[])));
    let access = load(vec![org("acme", vec![authority])]).unwrap();
    let mut chain = middle.signs(&client("a", 1));
    chain.push(middle.certificate());
    assert_eq!(who(&access, &chain), Err(CertificateRefused::RevocationUnknown));
    files.write("crl", &(root.revokes(&[]) + &middle.revokes(&[2])));
    access.reload().unwrap();
    assert_eq!(who(&access, &chain), is("acme", "a"));
    // Somebody else's list under the same name counts for nothing.
    files.write("crl", &(root.revokes(&[]) + &Authority::root("middle").revokes(&[])));
    access.reload().unwrap();
    assert_eq!(who(&access, &chain), Err(CertificateRefused::RevocationUnknown));
}

#[test]
fn what_ends_first_on_the_way_ends_all() {
    let files = Files::new();
    let acme = Authority::root("acme");
    let access = load(vec![org("acme", vec![settings(&files.write("ca", &acme.pem()), "")])]).unwrap();
    let mut long = client("long", 1);
    long.not_after = date_time_ymd(2040, 1, 1);
    let mut bare = long.clone();
    bare.extended_key_usages.clear();
    bare.distinguished_name.push(DnType::OrganizationName, "Acme");
    for params in [long, bare] {
        let caller = access.authenticate_certificate(&acme.signs(&params), NOW).unwrap();
        assert!(caller.expires > Some(END));
    }
}

#[test]
fn many_certificates_are_forgotten_when_nobody_uses_them() {
    let files = Files::new();
    let acme = Authority::root("acme");
    let access = load(vec![org("acme", vec![settings(&files.write("ca", &acme.pem()), "")])]).unwrap();
    let kept = acme.signs(&client("kept", 1));
    let caller = access.authenticate_certificate(&kept, NOW).unwrap();
    for number in 0..1100 {
        let chain = acme.signs(&client(&format!("c{number}"), number));
        access.authenticate_certificate(&chain, NOW).unwrap();
    }
    files.write("ca", &Authority::root("other").pem());
    access.reload().unwrap();
    assert!(caller.has_expired(NOW), "whoever is in use is not forgotten");
}
