use std::io::Read as _;

use antiphon_engineio::ServeSettings;

use crate::Setup;

#[test]
fn long_answers_are_compressed_as_the_client_takes_it() {
    let server = Setup::default().start();
    let session = server.open(4);
    let long = format!("4{}", "a".repeat(2000));
    for (accepted, used) in
        [("gzip, deflate, br", Some("gzip")), ("deflate", Some("deflate")), ("br", None), ("identity", None)]
    {
        server.post(&session, &long);
        let answer = server.connect().with("accept-encoding", accepted).get(&session);
        assert_eq!(answer.header("content-encoding"), used, "{accepted}");
        let mut text = String::new();
        match used {
            Some("gzip") => {
                _ = flate2::read::GzDecoder::new(&*answer.body).read_to_string(&mut text).unwrap()
            }
            Some(_) => _ = flate2::read::ZlibDecoder::new(&*answer.body).read_to_string(&mut text).unwrap(),
            None => text = answer.text().into(),
        }
        assert_eq!(text, long);
    }
    server.post(&session, "4short");
    let answer = server.connect().with("accept-encoding", "gzip").get(&session);
    assert_eq!((answer.header("content-encoding"), answer.text()), (None, "4short"));
}

#[test]
fn what_is_not_to_be_compressed_is_not() {
    let server = Setup::default().start();
    let session = server.open(4);
    let long = "a".repeat(2000);
    server.post(&session, &format!("4!plain {long}"));
    let answer = server.connect().with("accept-encoding", "gzip").get(&session);
    assert_eq!((answer.header("content-encoding"), answer.text()), (None, &*format!("4{long}")));

    let serve =
        ServeSettings { path: "/engine.io".into(), http_compression: None, ..ServeSettings::default() };
    let server = Setup { serve, ..Setup::default() }.start();
    let session = server.open(4);
    server.post(&session, &format!("4{long}"));
    let answer = server.connect().with("accept-encoding", "gzip").get(&session);
    assert_eq!(answer.header("content-encoding"), None);
}
