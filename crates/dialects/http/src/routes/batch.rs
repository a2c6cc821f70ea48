use antiphon_model::Draft;
use antiphon_node::{Completion, PublishError, Receipt};
use http::StatusCode;
use tokio::sync::oneshot;

use super::publish::{check_named, write_receipt};
use super::{Answer, Request, json};
use crate::wire::batch;
use antiphon_net::problem::Problem;
use antiphon_net::request::RequestBody;

/// What became of one publication, or what will say so.
enum Outcome {
    Known(Result<Receipt, PublishError>),
    Awaited(oneshot::Receiver<Result<Receipt, PublishError>>),
}

/// `POST /v1/publications`
///
/// A body that is not a batch is refused as a whole. What then is refused, or not stored, is so for itself.
pub(crate) async fn publish(request: Request, body: &mut RequestBody) -> Answer {
    let limits = request.limits();
    let max = request.settings.batch_max.min(limits.publications_per_batch_max);
    let body = body.read(request.settings.batch_bytes_max).await?;
    let drafts = batch::parse(&body, max, limits)?;
    drop(body);
    if drafts.iter().any(|draft| draft.idempotency_key.is_some()) {
        check_named(&request)?;
    }
    // All are handed over before any is awaited: they are committed as a group, in their order.
    let outcomes: Vec<Outcome> = drafts.into_iter().map(|draft| begin(&request, draft)).collect();
    let mut out = b"{\"results\":[".to_vec();
    for (index, outcome) in outcomes.into_iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        let result = match outcome {
            Outcome::Known(result) => result,
            Outcome::Awaited(receiver) => receiver.await.unwrap_or(Err(PublishError::Closing)),
        };
        write_result(result, &mut out);
    }
    out.extend_from_slice(b"]}");
    Ok(json(StatusCode::OK, out))
}

fn begin(request: &Request, draft: Draft) -> Outcome {
    let (sender, receiver) = oneshot::channel();
    let done = move || -> Completion {
        Box::new(move |result| {
            // Whoever asked may have gone; the publication stands.
            let _ = sender.send(result);
        })
    };
    match request.node().publish(&request.caller, draft, done) {
        Ok(None) => Outcome::Awaited(receiver),
        Ok(Some(receipt)) => Outcome::Known(Ok(receipt)),
        Err(error) => Outcome::Known(Err(error)),
    }
}

fn write_result(result: Result<Receipt, PublishError>, out: &mut Vec<u8>) {
    match result {
        Ok(receipt) => write_receipt(receipt, out),
        Err(error) => {
            out.extend_from_slice(b"{\"error\":");
            out.extend_from_slice(&Problem::from(error).to_json());
            out.push(b'}');
        }
    }
}
