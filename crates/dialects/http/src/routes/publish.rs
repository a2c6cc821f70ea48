use antiphon_access::Naming;
use antiphon_node::Receipt;
use bytes::Bytes;
use http::StatusCode;
use http::header::CONTENT_TYPE;

use super::{Answer, Request, json};
use crate::headers::{IDEMPOTENCY_KEY, META, text};
use crate::wire::media::Media;
use crate::wire::message::write_digits;
use crate::wire::publish::{Publish, PublishHeaders};
use crate::wire::query::InvalidParameter;
use antiphon_net::problem::Problem;
use antiphon_net::request::RequestBody;

/// `POST /v1/channels/{channel}`
pub(crate) async fn publish(request: Request, name: &str, body: &mut RequestBody) -> Answer {
    let channel = request.channel(name)?;
    let (publish, media) = described(&request)?;
    if publish.idempotency_key.is_some() {
        check_named(&request)?;
    }
    let body = body.read(request.limits().payload_bytes_max).await?;
    let draft = publish.draft(channel, media.payload(body)?);
    let receipt = request.node().publish_and_wait(&request.caller, draft).await?;
    Ok(json(StatusCode::CREATED, receipt_json(receipt)))
}

/// Checks that a retry of this request would come from the same publisher, without which an idempotency key keeps nothing
/// from being published twice.
///
/// # Errors
/// Neither the client nor its credential says who it is.
pub(super) fn check_named(request: &Request) -> Result<(), InvalidParameter> {
    match request.caller.naming {
        Naming::Named => Ok(()),
        Naming::Random => Err(InvalidParameter::new(
            "identity",
            "is needed with an idempotency key, which counts for one publisher: add identity=<who you are> to the query",
        )),
    }
}

/// What the query and headers say of the publication in the body.
pub(crate) fn described(request: &Request) -> Result<(Publish, Media), Problem> {
    let headers = &request.head.headers;
    let said = PublishHeaders {
        meta: headers.get(&META).map(|value| value.as_bytes()),
        idempotency_key: headers.get(&IDEMPOTENCY_KEY).map(|value| value.as_bytes()),
    };
    let publish = Publish::parse(&request.query(), said, request.limits())?;
    Ok((publish, Media::of(text(headers, CONTENT_TYPE))?))
}

/// `{"position":"…","stored":true}`
pub(crate) fn receipt_json(receipt: Receipt) -> Bytes {
    let mut out = Vec::with_capacity(64);
    write_receipt(receipt, &mut out);
    out.into()
}

/// Writes what [`receipt_json`] is.
pub(crate) fn write_receipt(receipt: Receipt, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"position\":\"");
    write_digits(receipt.position.0, out);
    out.extend_from_slice(if receipt.stored { b"\",\"stored\":true}" } else { b"\",\"stored\":false}" });
}

#[cfg(test)]
mod tests {
    use super::*;
    use antiphon_model::Position;

    #[test]
    fn receipts_by_example() {
        let receipt = Receipt { position: Position(17), stored: true, duplicate: false };
        assert_eq!(receipt_json(receipt), "{\"position\":\"17\",\"stored\":true}");
        assert_eq!(
            receipt_json(Receipt { stored: false, ..receipt }),
            "{\"position\":\"17\",\"stored\":false}"
        );
    }
}
