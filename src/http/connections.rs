//! Takes connections, a limited number, and ends those whose caller does not get to the point: the server of axum waits for
//! the end of a request's headers for ever. Follows the documentation of `hyper::server::conn::http1`.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Connections open at once; a process may often have a thousand files open, and it needs some for Slack, AWS and Redis.
const CONNECTIONS_MAX: usize = 512;
/// Longest time from the start of a connection to the end of its request's headers.
const HEADERS_TIME_MAX: Duration = Duration::from_secs(3);
/// Longest time from the start of a connection to its end, the caller's reading of the answer too. Each brings one request:
/// nobody keeps a place for what may come.
const CONNECTION_TIME_MAX: Duration = Duration::from_secs(15);
/// Wait after a connection could not be taken, because there are too many files open.
const ACCEPT_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Answers until `shutdown`, and then until the last caller has its answer.
pub async fn serve(listener: TcpListener, routes: Router, shutdown: CancellationToken) {
    serve_with(listener, routes, shutdown, HEADERS_TIME_MAX).await;
}

async fn serve_with(listener: TcpListener, routes: Router, shutdown: CancellationToken, headers_time_max: Duration) {
    let (open, callers) = (Arc::new(Semaphore::new(CONNECTIONS_MAX)), TaskTracker::new());
    loop {
        let next = async {
            // It is never closed.
            let place = Arc::clone(&open).acquire_owned().await.ok();
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            next = next => next,
            () = shutdown.cancelled() => break,
        };
        match accepted {
            Ok((tcp, _)) => {
                let caller = answer(tcp, routes.clone(), shutdown.clone(), headers_time_max);
                callers.spawn(async move {
                    let _ = tokio::time::timeout(CONNECTION_TIME_MAX, caller).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be taken");
                tokio::time::sleep(ACCEPT_AGAIN_AFTER).await;
            }
        }
    }
    callers.close();
    callers.wait().await;
}

/// Answers one caller. What goes wrong with a connection is the caller's business.
async fn answer(tcp: TcpStream, routes: Router, shutdown: CancellationToken, headers_time_max: Duration) {
    // Without it a small answer would wait up to 40 ms for an acknowledgement.
    let _ = tcp.set_nodelay(true);
    // To tell HTTP/2 from it, who says nothing would be waited for without end.
    let mut server = Builder::new(TokioExecutor::new()).http1_only();
    server.http1().timer(TokioTimer::new()).header_read_timeout(headers_time_max).keep_alive(false);
    let connection = server.serve_connection(TokioIo::new(tcp), TowerToHyperService::new(routes));
    let mut connection = pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => return,
        () = shutdown.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::time::Instant;

    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn who_never_ends_their_headers_is_cut_off_and_who_does_is_answered() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (shutdown, tasks) = (CancellationToken::new(), TaskTracker::new());
        let routes = Router::new().route("/", get(|| async { "here" }));
        tasks.spawn(serve_with(listener, routes, shutdown.clone(), Duration::from_millis(300)));
        let mut slow = TcpStream::connect(address).await.unwrap();
        slow.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n").await.unwrap();
        let mut silent = TcpStream::connect(address).await.unwrap();
        let mut quick = TcpStream::connect(address).await.unwrap();
        quick.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        quick.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("here"), "{answer}");
        let asked = Instant::now();
        for caller in [&mut slow, &mut silent] {
            let mut nothing = Vec::new();
            let ended = tokio::time::timeout(Duration::from_secs(10), caller.read_to_end(&mut nothing)).await;
            assert!(ended.is_ok(), "the connection is still open after {:?}", asked.elapsed());
        }
        // Whoever is still connected at the end does not hold it up.
        let idle = TcpStream::connect(address).await.unwrap();
        shutdown.cancel();
        tasks.close();
        tokio::time::timeout(Duration::from_secs(10), tasks.wait()).await.unwrap();
        drop(idle);
    }
}
