use std::sync::Arc;

use antiphon_engineio::Engine;
use antiphon_net::{Peer, Worker};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use tokio::sync::oneshot;

use super::body::{BoxError, SentBody, sent};
use super::{Mounted, plain};

/// Has a worker answer a request. A client that goes away meanwhile takes its request with it.
pub(super) async fn answer<B>(mounted: Arc<Mounted>, request: Request<B>, peer: Peer) -> Response<Bytes>
where
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let (sender, answered) = oneshot::channel();
    let request = request.map(sent);
    let worker = mounted.worker(request.uri());
    mounted.workers.run(worker, move |worker| {
        tokio::task::spawn_local(respond(worker.clone(), request, peer, sender));
    });
    // Not answered: the workers have stopped.
    answered.await.unwrap_or_else(|_| plain(StatusCode::SERVICE_UNAVAILABLE, "the server is stopping"))
}

async fn respond(
    worker: Worker,
    request: Request<SentBody>,
    peer: Peer,
    mut sender: oneshot::Sender<Response<Bytes>>,
) {
    let Some(engine) = worker.extension::<Engine>() else { return };
    let (parts, body) = request.into_parts();
    let response = tokio::select! {
        response = engine.respond(parts, body, peer, &worker) => response,
        () = sender.closed() => return,
    };
    let _ = sender.send(response);
}
