//! The server as a future: under any executor, on any thread, dropped at any time.

mod common;

use std::{
    future::poll_fn,
    net::TcpStream,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
};

use common::{Client, RunError, Server, config, wait_for_connections};

/// Wakes a thread that does nothing but run one future.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// An executor that knows nothing of sockets.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        thread::park();
    }
}

/// Some traffic of two clients, with a socket that is full for a while.
fn exercise(address: std::net::SocketAddr) {
    const READS: usize = 20;
    let mut client = Client::new(address);
    client.create("/large", &[7; 900_000]);
    let mut other = Client::new(address);
    for _ in 0..READS {
        other.submit_read("/large");
    }
    client.ping();
    for _ in 0..READS {
        assert_eq!(other.data().len(), 900_000);
    }
    drop(other);
    wait_for_connections(address, 1);
    client.ping();
}

/// Holds when it compiles.
#[test]
fn the_future_may_go_to_another_thread_and_live_for_ever() {
    fn is_send<T: Send + 'static>(_: &T) {}
    let server = Server::bind(config()).expect("a free port");
    is_send(&server);
    is_send(&server.run());
}

#[test]
fn an_executor_without_a_reactor_will_do() {
    let server = Server::bind(config()).expect("a free port");
    let (address, handle) = (server.local_addr(), server.handle());
    let running = thread::spawn(|| block_on(server.run()));
    exercise(address);
    handle.shutdown();
    running.join().expect("no panic").expect("a server that was well");
}

/// Every turn on another thread, with another waker.
#[test]
fn a_future_that_wanders_misses_nothing() {
    let server = Server::bind(config()).expect("a free port");
    let (address, handle) = (server.local_addr(), server.handle());
    let running = thread::spawn(move || {
        let mut future = Box::pin(server.run());
        let turns = poll_fn(|_| {
            let waker = Waker::from(Arc::new(Unpark(thread::current())));
            let future = &mut future;
            let turn = move || future.as_mut().poll(&mut Context::from_waker(&waker));
            thread::scope(|scope| scope.spawn(turn).join().expect("no panic"))
        });
        block_on(turns)
    });
    exercise(address);
    handle.shutdown();
    running.join().expect("no panic").expect("a server that was well");
}

#[test]
fn two_servers_share_a_task() {
    let servers = [(); 2].map(|()| Server::bind(config()).expect("a free port"));
    let addresses = servers.each_ref().map(Server::local_addr);
    let handles = servers.each_ref().map(Server::handle);
    let running = thread::spawn(move || {
        let mut futures = servers.map(|server| Some(Box::pin(server.run())));
        block_on(poll_fn(|context| {
            for slot in &mut futures {
                if let Some(future) = slot
                    && let Poll::Ready(result) = future.as_mut().poll(context)
                {
                    result?;
                    *slot = None;
                }
            }
            if futures.iter().all(Option::is_none) {
                Poll::Ready(Ok::<(), RunError>(()))
            } else {
                Poll::Pending
            }
        }))
    });
    addresses.into_iter().for_each(exercise);
    let [first, second] = handles;
    first.shutdown();
    Client::new(addresses[1]).ping();
    second.shutdown();
    running.join().expect("no panic").expect("servers that were well");
}

#[test]
fn a_dropped_future_takes_its_sockets_along() {
    let server = Server::bind(config()).expect("a free port");
    let (address, handle) = (server.local_addr(), server.handle());
    let mut waiting = Client::connect(address);
    let mut future = Box::pin(server.run());
    // Polled until somebody else is served, and then no more.
    let serving = thread::spawn(move || {
        let mut client = Client::new(address);
        client.ping();
        client
    });
    block_on(poll_fn(|context| {
        assert!(future.as_mut().poll(context).is_pending(), "nobody stops it");
        if serving.is_finished() {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }));
    let mut served = serving.join().expect("no panic");
    drop(future);
    served.wait_for_end();
    waiting.wait_for_end();
    assert!(TcpStream::connect(address).is_err(), "nobody listens any more");
    handle.shutdown();
}
