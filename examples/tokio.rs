//! A ZooKeeper client on tokio: all that an event loop has to do for a [`Session`]. To see it:
//! `cargo run -- serve --in-memory`, and `cargo run --example tokio -- localhost:2181`.
#![allow(clippy::disallowed_methods, reason = "a driver, not the core")]

use std::{collections::BTreeMap, env, future::poll_fn, hash::*, io, pin::Pin, sync::Arc, task::*};

use bytes::Buf;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::{net::TcpStream, runtime, time, time::Duration};
use zookeeper_core::client::{operation::*, *};
use zookeeper_core::{ConnId, Disconnect, Instant, wire::CreateMode};

/// A connection: the session's own one, or, at times, the one of a probe.
enum Socket {
    Opening(Pin<Box<dyn Future<Output = io::Result<TcpStream>>>>),
    Open(TcpStream),
}

/// A session, its sockets, its clock, and who is shown its events.
struct Client {
    session: Session,
    chroot: Chroot,
    sockets: BTreeMap<ConnId, Socket>,
    start: time::Instant,
    show: Show,
}

/// What the program does: it makes an ephemeral znode, watches it and changes it.
pub(crate) async fn run(servers: ConnectString, show: Show) -> Result<(), Error> {
    let (config, seed) = (Config::new(servers.hosts), RandomState::new().hash_one(0));
    let session = Session::new(Arc::new(config), Instant::ZERO, seed);
    let (sockets, start) = (BTreeMap::new(), time::Instant::now());
    let mut client = Client { session, chroot: servers.chroot, sockets, start, show };
    client.until(|event| matches!(event, Event::StateChanged { .. }).then_some(())).await;
    let create = Create::new("/example-", "one", CreateMode::EphemeralSequential);
    let plain = SubmitOptions::default();
    let path = client.call(&create, plain).await?.path;
    let watching = SubmitOptions { watcher: Some(client.session.new_watcher()), ..plain };
    client.call(&GetData::new(&path), watching).await?;
    // Whether it was set when the connection was lost does not matter: setting again is safe.
    while let Err(error) = client.call(&SetData::new(&path, "two", None), plain).await {
        if !matches!(error, Error::Request(RequestError::ConnectionLoss { .. })) {
            return Err(error);
        }
    }
    client.session.close(client.now());
    client.until(|event| matches!(event, Event::Closed(_)).then_some(())).await;
    Ok(())
}

impl Client {
    /// Submits an operation and waits for its outcome.
    async fn call<O: Operation>(&mut self, op: &O, how: SubmitOptions) -> Result<O::Output, Error> {
        let (now, chroot) = (self.now(), self.chroot.clone());
        let expected = op.with_request(&chroot, |it| self.session.submit(now, it, how))??;
        let find = |event: Event<'_>| {
            let Event::Reply { id, result } = event else { return None };
            (id == expected).then(|| O::output(&chroot, result.map(|reply| reply.response)))
        };
        self.until(find).await
    }

    /// Runs the session, and shows its events, until `find` finds what it looks for among them.
    async fn until<T>(&mut self, find: impl Fn(Event<'_>) -> Option<T>) -> T {
        loop {
            // First all that the session has to say: what is done may give it more to say.
            while let Some(event) = self.session.poll_event() {
                (self.show)(&event);
                if let Some(found) = find(event) {
                    return found;
                }
            }
            let (now, due) = (self.now(), self.session.poll_timeout());
            match self.session.poll_action() {
                // At the attempt's deadline the session says `Close`, and the future is dropped.
                Some(Action::Connect { conn, host, .. }) => {
                    let attempt = TcpStream::connect((host.host, host.port));
                    self.sockets.insert(conn, Socket::Opening(Box::pin(attempt)));
                }
                Some(Action::Close(conn)) => drop(self.sockets.remove(&conn)),
                // There are bytes to write, or to read: every socket is asked below.
                Some(_) => {}
                // Then its time, if that has come.
                None if due.is_some_and(|due| due <= now) => self.session.handle_timeout(now),
                // Then its sockets, until one of them has something, or the time has come.
                None => {
                    let wait = due.map_or(Duration::MAX, |due| due.saturating_duration_since(now));
                    let _ = time::timeout(wait, poll_fn(|cx| self.poll_sockets(cx))).await;
                }
            }
        }
    }

    /// Moves bytes where some can be moved, or sees to it that the task wakes when some can be.
    fn poll_sockets(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let (now, session, mut outcome) = (self.now(), &mut self.session, Poll::Pending);
        self.sockets.retain(|&conn, socket| {
            let Poll::Ready(moved) = socket.poll(cx, session, now, conn) else { return true };
            outcome = Poll::Ready(());
            moved.map_err(|cause| session.handle_eof(now, conn, cause)).is_ok()
        });
        outcome
    }

    fn now(&self) -> Instant {
        Instant::from_micros(u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX))
    }
}

type Show = Box<dyn FnMut(&Event<'_>)>;
type Moved = Poll<Result<(), Disconnect>>;

impl Socket {
    fn poll(&mut self, cx: &mut Context<'_>, to: &mut Session, now: Instant, id: ConnId) -> Moved {
        let stream = match self {
            Self::Open(stream) => stream,
            Self::Opening(attempt) => {
                let stream = ready!(attempt.as_mut().poll(cx))?;
                stream.set_nodelay(true)?;
                to.handle_connected(now, id, stream.peer_addr()?);
                *self = Self::Open(stream);
                return Poll::Ready(Ok(()));
            }
        };
        if let Some(mut bytes) = to.poll_transmit(id)
            && let Poll::Ready(count) = Pin::new(&mut *stream).poll_write(cx, bytes.chunk())?
        {
            bytes.advance(count);
        } else if to.wants_read(id) {
            let mut buffer = [0; 16 * 1024];
            let mut buffer = ReadBuf::new(&mut buffer);
            ready!(Pin::new(stream).poll_read(cx, &mut buffer))?;
            if buffer.filled().is_empty() {
                return Poll::Ready(Err(Disconnect::End));
            }
            to.handle_input(now, id, buffer.filled());
        } else {
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let servers = env::args().nth(1).unwrap_or_else(|| "localhost:2181".into()).parse()?;
    let show = Box::new(|event: &Event<'_>| println!("{event:?}"));
    runtime::Builder::new_current_thread().enable_all().build()?.block_on(run(servers, show))?;
    Ok(())
}
