//! Where pages get the client from: `<path>/socket.io.js` and its like.

use std::io;
use std::path::Path;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH, LOCATION};
use http::request::Parts;
use http::{HeaderValue, Method, Response, StatusCode};
use sha1::{Digest as _, Sha1};

/// What is answered to requests for the client.
#[derive(Clone, Debug, Default)]
pub enum ClientBundle {
    /// 404.
    #[default]
    Off,
    /// A redirection to this URL; if it ends in a slash, with the file's name behind it.
    Redirect(String),
    /// The file of that name, or 404.
    Files(Vec<BundleFile>),
}

/// A file of the client.
#[derive(Clone, Debug)]
pub struct BundleFile {
    name: String,
    bytes: Bytes,
    tag: HeaderValue,
}

impl BundleFile {
    /// A file that is served under this name, such as `socket.io.min.js`.
    pub fn new(name: impl Into<String>, bytes: impl Into<Bytes>) -> BundleFile {
        let bytes = bytes.into();
        let digest = Sha1::digest(&bytes);
        let hex: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let tag = HeaderValue::try_from(format!("\"{hex}\"")).expect("hexadecimal digits are visible ASCII");
        BundleFile { name: name.into(), bytes, tag }
    }
}

/// The one file stands for every build of the client that has no source map.
const NAMES: [&str; 2] = ["socket.io.js", "socket.io.min.js"];

impl ClientBundle {
    /// Reads a directory with the files of a build of the client, each served under its own name, or one file that is served
    /// as `socket.io.js` and `socket.io.min.js`. They are kept in memory.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read(path: &Path) -> io::Result<ClientBundle> {
        if !path.is_dir() {
            let bytes = Bytes::from(std::fs::read(path)?);
            return Ok(ClientBundle::Files(NAMES.map(|name| BundleFile::new(name, bytes.clone())).into()));
        }
        let mut files = Vec::new();
        for entry in std::fs::read_dir(path)? {
            let entry = entry?;
            if let Some(name) = entry.file_name().to_str().filter(|name| is_name(name)) {
                files.push(BundleFile::new(name, std::fs::read(entry.path())?));
            }
        }
        Ok(ClientBundle::Files(files))
    }

    /// Answers a request for `name` below the path; none if no file of the client has such a name.
    pub(super) fn answer(&self, request: &Parts, name: &str) -> Option<Response<Bytes>> {
        if !is_name(name) || !matches!(request.method, Method::GET | Method::HEAD) {
            return None;
        }
        let answer = match self {
            ClientBundle::Off => None,
            ClientBundle::Redirect(url) => redirect(url, name),
            ClientBundle::Files(files) => {
                files.iter().find(|file| file.name == name).map(|file| file.answer(request))
            }
        };
        Some(answer.unwrap_or_else(not_found))
    }
}

impl BundleFile {
    fn answer(&self, request: &Parts) -> Response<Bytes> {
        let mut response = Response::new(Bytes::new());
        let known = request.headers.get_all(IF_NONE_MATCH).iter().any(|tags| self.is_among(tags));
        if known {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
        } else if request.method == Method::GET {
            *response.body_mut() = self.bytes.clone();
        }
        let kind = if self.name.ends_with(".map") { "application/json" } else { "application/javascript" };
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=0"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        headers.insert(ETAG, self.tag.clone());
        response
    }

    /// Whether `If-None-Match` names it, compared weakly (RFC 9110, 13.1.2).
    fn is_among(&self, tags: &HeaderValue) -> bool {
        let (Ok(tags), Ok(own)) = (tags.to_str(), self.tag.to_str()) else { return false };
        tags.split(',').map(str::trim).any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == own)
    }
}

/// The names that builds of the client have: `socket.io`, `.msgpack` or `.esm`, `.min`, `.js`, `.map`.
fn is_name(name: &str) -> bool {
    let Some(rest) = name.strip_prefix("socket.io") else { return false };
    let rest = rest.strip_prefix(".msgpack").or_else(|| rest.strip_prefix(".esm")).unwrap_or(rest);
    let rest = rest.strip_prefix(".min").unwrap_or(rest);
    matches!(rest, ".js" | ".js.map")
}

fn redirect(url: &str, name: &str) -> Option<Response<Bytes>> {
    let url = if url.ends_with('/') { format!("{url}{name}") } else { url.to_owned() };
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::FOUND;
    response.headers_mut().insert(LOCATION, HeaderValue::try_from(url).ok()?);
    Some(response)
}

fn not_found() -> Response<Bytes> {
    let mut response = Response::new(Bytes::from_static(b"the client is not served here"));
    *response.status_mut() = StatusCode::NOT_FOUND;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(bundle: &ClientBundle, name: &str, headers: &[(&'static str, &str)]) -> Option<Response<Bytes>> {
        let mut parts = http::Request::new(()).into_parts().0;
        for (name, value) in headers {
            parts.headers.insert(*name, value.parse().unwrap());
        }
        bundle.answer(&parts, name)
    }

    #[test]
    fn names_are_those_of_the_client() {
        for name in [
            "socket.io.js",
            "socket.io.min.js",
            "socket.io.js.map",
            "socket.io.msgpack.min.js",
            "socket.io.esm.min.js.map",
        ] {
            assert!(is_name(name), "{name}");
            assert_eq!(get(&ClientBundle::Off, name, &[]).unwrap().status(), 404);
        }
        for name in
            ["", "socket.io", "socket.io.css", "x/socket.io.js", "socket.io.js/", "socket.io.min.min.js"]
        {
            assert!(get(&ClientBundle::Off, name, &[]).is_none(), "{name}");
        }
    }

    #[test]
    fn redirections_name_the_file() {
        let bundle = ClientBundle::Redirect("https://cdn.example/4.8.3/".into());
        let answer = get(&bundle, "socket.io.min.js", &[]).unwrap();
        assert_eq!(answer.status(), 302);
        assert_eq!(answer.headers()[LOCATION], "https://cdn.example/4.8.3/socket.io.min.js");
        let bundle = ClientBundle::Redirect("/assets/client.js".into());
        assert_eq!(get(&bundle, "socket.io.js", &[]).unwrap().headers()[LOCATION], "/assets/client.js");
    }

    #[test]
    fn files_have_tags() {
        let bundle = ClientBundle::Files(vec![BundleFile::new("socket.io.js", "client")]);
        let answer = get(&bundle, "socket.io.js", &[]).unwrap();
        assert_eq!((answer.status().as_u16(), &answer.body()[..]), (200, &b"client"[..]));
        assert_eq!(answer.headers()[CONTENT_TYPE], "application/javascript");
        let tag = answer.headers()[ETAG].to_str().unwrap().to_owned();
        for tags in [tag.clone(), format!("W/{tag}"), format!("\"x\", {tag}"), "*".into()] {
            let answer = get(&bundle, "socket.io.js", &[("if-none-match", &tags)]).unwrap();
            assert_eq!((answer.status().as_u16(), answer.body().len()), (304, 0), "{tags}");
        }
        assert_eq!(get(&bundle, "socket.io.js", &[("if-none-match", "\"x\"")]).unwrap().status(), 200);
        assert_eq!(get(&bundle, "socket.io.min.js", &[]).unwrap().status(), 404);
    }
}
