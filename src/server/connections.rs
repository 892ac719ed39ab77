//! Connections: accepted within a bound, served, and ended in good order.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::app::App;
use super::metrics::{Counted, Metrics};
use super::refusal::shutting_down;
use super::socket::Socket;

/// After a failure to accept, for instance for want of file descriptors: time for some to be given back. And how often it
/// is looked whether work on batches has stopped.
const BREATH: Duration = Duration::from_millis(50);
/// For error events to reach the clients whose streams are ended.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Serves until `stop` is done; then accepts nothing more, gives what is being served `grace` to end, and ends the rest.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    app: Arc<App>,
    grace: Duration,
    stop: impl Future<Output = ()>,
) {
    let places = Arc::new(Semaphore::new(app.limits.connections));
    let (closing, closed) = watch::channel(false);
    let mut tasks = JoinSet::new();
    tokio::pin!(stop);
    loop {
        // A connection without a place waits in the listener's backlog.
        let next = async {
            let place = places.clone().acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            () = &mut stop => break,
            next = next => next,
        };
        match accepted {
            Ok((stream, _)) => {
                let served = serve_one(stream, router.clone(), app.clone(), closed.clone());
                tasks.spawn(async move {
                    served.await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!("a connection could not be accepted: {error}");
                sleep(BREATH).await;
            }
        }
        while tasks.try_join_next().is_some() {}
    }
    drop(listener);
    tracing::info!("shutting down: {} connections are open", tasks.len());
    closing.send_replace(true);
    if let Some(jobs) = &app.jobs {
        jobs.stop();
    }
    if timeout(grace, all(&mut tasks)).await.is_err() {
        app.worker.abandon(shutting_down()).await;
        if timeout(LAST_WORDS, all(&mut tasks)).await.is_err() {
            tracing::warn!("{} connections are cut off", tasks.len());
        }
    }
    if let Some(jobs) = &app.jobs {
        let stopped = async {
            while !jobs.has_stopped() {
                sleep(BREATH).await;
            }
        };
        // What it does not write now, it will not have written.
        let _ = timeout(LAST_WORDS, stopped).await;
    }
}

async fn all(tasks: &mut JoinSet<()>) {
    while tasks.join_next().await.is_some() {}
}

async fn serve_one(stream: TcpStream, router: Router, app: Arc<App>, mut closing: watch::Receiver<bool>) {
    let of: fn(&Metrics) -> &AtomicUsize = |metrics| &metrics.connections;
    let _counted = Counted::new(&app.metrics, of);
    // Events are small and are to arrive one by one.
    let _ = stream.set_nodelay(true);
    let io = TokioIo::new(Socket::new(stream, app.limits.stall_time));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(app.limits.head_time)
        .serve_connection(io, TowerToHyperService::new(router));
    tokio::pin!(connection);
    // What is waited for holds a lock, which must not be held across the next wait.
    let told = async { drop(closing.wait_for(|closing| *closing).await) };
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = told => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!("a connection has ended: {error}");
    }
}
