use crate::Setup;

#[test]
fn scripts_are_answered_and_forms_are_taken() {
    let server = Setup::default().start();
    let query = "EIO=3&transport=polling&j=0";
    let open = server.get(query);
    assert_eq!(open.header("content-type"), Some("text/javascript; charset=UTF-8"));
    assert_eq!(open.header("x-content-type-options"), Some("nosniff"));
    assert!(open.text().starts_with(r#"___eio[0]("118:0{\"sid\":"#), "{open:?}");
    let sid = open.text().split("\\\"sid\\\":\\\"").nth(1).unwrap()[..20].to_owned();

    let session = format!("EIO=3&transport=polling&j=1&sid={sid}");
    let mut form = server.connect().with("content-type", "application/x-www-form-urlencoded");
    let answer = form.post(&session, "d=6%3A4%22hi%5C%5Cn%3C10%3Ab4AQIDBA%3D%3D");
    assert_eq!((answer.status, answer.text()), (400, r#"{"code":3,"message":"Bad request"}"#));

    let sid = {
        let open = server.get(query);
        open.text().split("\\\"sid\\\":\\\"").nth(1).unwrap()[..20].to_owned()
    };
    let session = format!("EIO=3&transport=polling&j=1&sid={sid}");
    let answer = form.post(&session, "d=5%3A4%22hi%3C10%3Ab4AQIDBA%3D%3D");
    assert_eq!((answer.status, answer.text()), (200, "ok"));
    assert_eq!(server.get(&session).text(), r#"___eio[1]("5:4\"hi\u003c10:b4AQIDBA==");"#);
}

#[test]
fn what_is_no_index_is_refused() {
    let server = Setup::default().start();
    let answer = server.get("EIO=3&transport=polling&j=alert(1)");
    assert_eq!(answer.status, 400);
}
