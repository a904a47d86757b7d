//! What a test has the application and the servers do.

use std::time::Duration;

use zookeeper_core::{
    Disconnect, SessionId, Zxid,
    client::{HostPort, RequestId, SubmitError, SubmitOptions, WatcherId},
    wire::{Encode, ErrorCode, EventKind, LENGTH_BYTES, Request, Response, WatcherType, Xid},
};

use super::{
    link::Attempt,
    script::{self, Grant, Habits, Heard},
    sent::Sent,
    world::World,
};
use crate::pair::Pipe;

/// The application.
impl World {
    /// Submits a request.
    ///
    /// # Panics
    ///
    /// When it is refused.
    #[track_caller]
    pub fn submit(&mut self, request: &Request<'_>) -> RequestId {
        self.try_submit(request, SubmitOptions::default()).expect("one more is welcome")
    }

    /// Submits a request that sets a watch.
    ///
    /// # Panics
    ///
    /// When it is refused.
    #[track_caller]
    pub fn submit_watching(&mut self, request: &Request<'_>, watcher: WatcherId) -> RequestId {
        let options = SubmitOptions { watcher: Some(watcher), timeout: None };
        self.try_submit(request, options).expect("one more is welcome")
    }

    /// Submits a request that may take so long.
    ///
    /// # Panics
    ///
    /// When it is refused.
    #[track_caller]
    pub fn submit_within(&mut self, request: &Request<'_>, timeout: Duration) -> RequestId {
        let options = SubmitOptions { watcher: None, timeout: Some(timeout) };
        self.try_submit(request, options).expect("one more is welcome")
    }

    /// Submits a request.
    ///
    /// # Errors
    ///
    /// The session's refusal.
    pub fn try_submit(
        &mut self,
        request: &Request<'_>,
        options: SubmitOptions,
    ) -> Result<RequestId, SubmitError> {
        self.driver.submit(self.now, request, options)
    }

    /// A name for somebody who watches.
    pub fn watcher(&mut self) -> WatcherId {
        self.driver.session_mut().new_watcher()
    }

    /// Adds an identity.
    ///
    /// # Panics
    ///
    /// When it is refused.
    #[track_caller]
    pub fn add_auth(&mut self, scheme: &str, credentials: &str) -> RequestId {
        self.try_add_auth(scheme, credentials).expect("one more is welcome")
    }

    /// Adds an identity.
    ///
    /// # Errors
    ///
    /// The session's refusal.
    pub fn try_add_auth(
        &mut self,
        scheme: &str,
        credentials: &str,
    ) -> Result<RequestId, SubmitError> {
        self.driver.add_auth(self.now, scheme, credentials.as_bytes())
    }

    /// Forgets watches of one kind: of one watcher, or of all.
    ///
    /// # Panics
    ///
    /// When it is refused.
    #[track_caller]
    pub fn remove_watches(
        &mut self,
        path: &str,
        watcher: Option<WatcherId>,
        kind: WatcherType,
        local: bool,
    ) -> RequestId {
        self.try_remove_watches(path, watcher, kind, local).expect("one more is welcome")
    }

    /// Forgets watches of one kind: of one watcher, or of all.
    ///
    /// # Errors
    ///
    /// The session's refusal.
    pub fn try_remove_watches(
        &mut self,
        path: &str,
        watcher: Option<WatcherId>,
        kind: WatcherType,
        local: bool,
    ) -> Result<RequestId, SubmitError> {
        self.driver.remove_watches(self.now, path, watcher, kind, local)
    }

    /// Forgets one watcher's watches of one kind at once.
    pub fn forget_watch(&mut self, path: &str, watcher: WatcherId, kind: WatcherType) {
        self.driver.session_mut().forget_watch(self.now, path, watcher, kind);
    }

    /// Replaces the list of servers; whether the session moves.
    pub fn update_hosts(&mut self, hosts: &[&str]) -> bool {
        let host = |host: &&str| HostPort { host: (*host).into(), port: 2181 };
        let hosts = hosts.iter().map(host).collect();
        self.driver.session_mut().update_hosts(self.now, hosts)
    }

    /// Ends the session on the server.
    pub fn close(&mut self) {
        self.driver.close(self.now);
    }

    /// Ends the session here.
    pub fn detach(&mut self) {
        self.driver.detach(self.now);
    }
}

/// The servers.
impl World {
    /// The oldest thing that a server heard and has not answered, on a connection that is open.
    ///
    /// # Panics
    ///
    /// When there is none.
    #[must_use]
    #[track_caller]
    pub fn heard(&mut self) -> Sent {
        self.settle();
        let mut heard = self.script.unanswered().iter();
        let heard = heard.find(|heard| self.is_open(heard.attempt));
        heard.expect("something unanswered").sent.clone()
    }

    /// Answers the oldest ConnectRequest that is not answered.
    ///
    /// # Panics
    ///
    /// When there is none.
    #[track_caller]
    pub fn grant(&mut self, grant: Grant) {
        assert!(self.grant_if_asked(grant), "nobody waits for a handshake");
    }

    /// Answers the oldest ConnectRequest that is not answered, if there is one.
    pub fn grant_if_asked(&mut self, grant: Grant) -> bool {
        let heard = self.take_heard(|sent| matches!(sent, Sent::Connect { .. }));
        let Some(Heard { attempt, sent }) = heard else { return false };
        self.script.grant(&sent, grant, self.driver.toward_client(attempt));
        true
    }

    /// Grants the next session of this number.
    pub fn grant_session(&mut self, session: i64) {
        self.grant(Grant { session: Some(SessionId(session)), ..Grant::ALL });
    }

    /// Answers everything unanswered with success.
    pub fn answer_all(&mut self) {
        while self.answer_next() {}
    }

    /// Answers the oldest thing unanswered with success, if there is any.
    pub fn answer_next(&mut self) -> bool {
        let Some(Heard { attempt, sent }) = self.take_heard(|_| true) else { return false };
        self.script.react(&Habits::HELPFUL, &sent, self.driver.toward_client(attempt))
    }

    /// Answers the oldest unanswered request with success, but changes the frame.
    pub fn answer_edited(&mut self, edit: impl FnOnce(&mut [u8])) {
        let Some(heard) = self.take_heard(|sent| sent.xid().is_some()) else { return };
        let mut apart = Pipe::new(usize::MAX);
        self.script.react(&Habits::HELPFUL, &heard.sent, &mut apart);
        let mut frame = apart.read(usize::MAX);
        edit(&mut frame[LENGTH_BYTES..]);
        self.driver.toward_client(heard.attempt).write(&frame);
    }

    /// Answers the oldest unanswered request, if there is one.
    pub fn answer_if_asked(&mut self, zxid: Zxid, error: ErrorCode, record: &[u8]) {
        let Some(heard) = self.take_heard(|sent| sent.xid().is_some()) else { return };
        let Some(xid) = heard.sent.xid() else { return };
        script::reply(self.driver.toward_client(heard.attempt), xid, zxid, error, record);
    }

    /// Answers the oldest unanswered request with success and this record.
    ///
    /// # Panics
    ///
    /// When there is none.
    #[track_caller]
    pub fn answer(&mut self, response: &Response<'_>) {
        let zxid = self.script.zxid;
        self.answer_raw(zxid, ErrorCode::OK, &response.to_vec());
    }

    /// Answers the oldest unanswered request with success.
    ///
    /// # Panics
    ///
    /// When there is none.
    #[track_caller]
    pub fn answer_ok(&mut self) {
        let (attempt, sent) = self.take_request();
        self.script.serve(&sent, self.driver.toward_client(attempt));
    }

    /// Answers the oldest unanswered request with an error.
    ///
    /// # Panics
    ///
    /// When there is none.
    #[track_caller]
    pub fn answer_error(&mut self, error: ErrorCode) {
        let zxid = self.script.zxid;
        self.answer_raw(zxid, error, &[]);
    }

    /// Answers the oldest unanswered request.
    ///
    /// # Panics
    ///
    /// When there is none.
    #[track_caller]
    pub fn answer_raw(&mut self, zxid: Zxid, error: ErrorCode, record: &[u8]) {
        let (attempt, sent) = self.take_request();
        let xid = sent.xid().expect("a request has a number");
        script::reply(self.driver.toward_client(attempt), xid, zxid, error, record);
    }

    /// Takes the oldest unanswered request and never answers it.
    ///
    /// # Panics
    ///
    /// When there is none.
    #[track_caller]
    pub fn forget(&mut self) -> Sent {
        self.take_request().1
    }

    /// Says something on the session's connection that answers no request it knows of.
    pub fn reply(&mut self, xid: i32, zxid: Zxid, error: ErrorCode, record: &[u8]) {
        script::reply(self.toward_client(), Xid(xid), zxid, error, record);
    }

    /// Tells of a change.
    pub fn notify(&mut self, kind: EventKind, path: &str, zxid: i64) {
        self.notify_raw(kind.code(), path, zxid);
    }

    /// Tells of a change of any kind.
    pub fn notify_raw(&mut self, kind: i32, path: &str, zxid: i64) {
        script::notify(self.toward_client(), kind, path, Zxid(zxid));
    }

    /// Sends a frame.
    pub fn frame(&mut self, body: &[u8]) {
        script::frame(self.toward_client(), body);
    }

    /// Sends any bytes.
    pub fn say(&mut self, bytes: &[u8]) {
        self.toward_client().write(bytes);
    }

    /// The session's connection ends.
    pub fn lose(&mut self, cause: Disconnect) {
        self.toward_client().end(cause);
    }

    /// An attempt to connect that stalled succeeds.
    pub fn accept(&mut self, attempt: Attempt) {
        self.driver.connected(self.now, attempt, ([127, 0, 0, 1], 1).into());
    }

    /// An attempt to connect that stalled fails.
    pub fn refuse(&mut self, attempt: Attempt, cause: Disconnect) {
        self.driver.ended(self.now, attempt, cause);
    }

    /// How many bytes servers' sockets take before the client's writes block.
    pub fn set_socket_buffer(&mut self, attempt: Attempt, capacity: usize) {
        self.driver.toward_server(attempt).set_capacity(capacity);
    }

    #[track_caller]
    fn take_request(&mut self) -> (Attempt, Sent) {
        let heard = self.take_heard(|sent| sent.xid().is_some()).expect("a request");
        (heard.attempt, heard.sent)
    }

    /// Takes the oldest thing of some kind that was heard on a connection that is open.
    fn take_heard(&mut self, is_meant: impl Fn(&Sent) -> bool) -> Option<Heard> {
        self.settle();
        let driver = &self.driver;
        let is_open = |attempt: Attempt| !driver.link(attempt).is_closed;
        self.script.take(|heard| is_open(heard.attempt) && is_meant(&heard.sent))
    }

    #[track_caller]
    fn toward_client(&mut self) -> &mut Pipe {
        self.settle();
        let attempt = self.attempt();
        self.driver.toward_client(attempt)
    }
}
