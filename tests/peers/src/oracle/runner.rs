//! Plays steps on two servers at a time.

use std::io;
use std::mem;

use zookeeper_core::wire::{Encode, Op};

use super::commands;
use super::judge::{Answer, Difference, Judge, Stream};
use super::script::{Connect, Expire, Frame, Outsider, SessionRef, Slot, Step, Talk, Until};
use super::side::{Received, Side};
use crate::server::Server;

/// How many clients a script may have.
pub(crate) const SLOTS: usize = 8;

/// Two servers and the same clients on both.
#[derive(Debug)]
pub(crate) struct Runner {
    theirs: Side,
    ours: Side,
    their_server: Server,
    our_server: Server,
    judge: Judge,
    newest: i64,
}

impl Runner {
    /// The reference first, the server under test second. Both are fresh.
    #[must_use]
    pub(crate) fn new(theirs: Server, ours: Server) -> Self {
        Self {
            theirs: Side::new("theirs", theirs.address(), SLOTS),
            ours: Side::new("ours", ours.address(), SLOTS),
            their_server: theirs,
            our_server: ours,
            judge: Judge::default(),
            newest: 0,
        }
    }

    /// Plays one step on both servers. A step that has lost its footing, because an earlier one
    /// was cut out of the script, does nothing.
    ///
    /// # Errors
    ///
    /// The first difference.
    pub(crate) fn play(&mut self, step: &Step) -> Result<Vec<Answer>, Difference> {
        match step {
            Step::Talk(talk) => self.talk(talk),
            Step::Hang(slot) => self.hang(*slot).map(|()| Vec::new()),
            Step::Expire(expire) => self.expire(expire).map(|()| Vec::new()),
            Step::Outsider(outsider) => self.outsider(outsider).map(|()| Vec::new()),
            Step::Cross => self.cross().map(|()| Vec::new()),
        }
    }

    /// What was compared, and with which rows.
    #[must_use]
    pub(crate) fn judge(&self) -> &Judge {
        &self.judge
    }

    fn talk(&mut self, talk: &Talk) -> Result<Vec<Answer>, Difference> {
        if !self.can_talk(talk.slot, talk.connect.as_ref()) {
            return Ok(Vec::new());
        }
        let mut frames = talk.frames.clone();
        if talk.until != Until::Closed {
            frames.push(Frame::ping());
        }
        let ends_session = ends_session(&frames);
        let old_links = self.send(talk.slot, talk.connect.as_ref(), &frames, talk.cut)?;
        let unlike = match talk.until {
            Until::Unlike(row) => Some(row),
            Until::Ping | Until::Closed => None,
        };
        let has_handshake = talk.connect.is_some();
        let theirs = collect(&mut self.theirs, talk.slot, has_handshake, &frames, talk.until);
        let ours = collect(&mut self.ours, talk.slot, has_handshake, &frames, talk.until);
        self.note_grant(talk.connect.as_ref(), &theirs, &ours);
        let place = format!("client {}", talk.slot);
        let mut answers = Vec::new();
        if unlike.is_some() {
            self.theirs.hang_up(talk.slot);
            self.ours.hang_up(talk.slot);
        } else {
            let stream = Stream { place, has_handshake, frames: &frames, ends_session, unlike };
            let sides = (&mut self.theirs, &mut self.ours);
            answers = self.judge.compare(&stream, sides, theirs, ours)?;
            self.note_newest(&answers);
        }
        if let (Some(theirs), Some(ours)) = old_links {
            let place = format!("the old connection of client {}", talk.slot);
            self.compare_rest(place, theirs, ours)?;
        }
        self.barrier(Some(talk.slot), ends_session, unlike)?;
        Ok(answers)
    }

    fn hang(&mut self, slot: Slot) -> Result<(), Difference> {
        if !self.theirs.is_linked(slot) || !self.ours.is_linked(slot) {
            return Ok(());
        }
        let (theirs, ours) = (self.theirs.hang_up(slot), self.ours.hang_up(slot));
        self.compare_rest(format!("client {slot}"), theirs, ours)?;
        self.barrier(None, false, None)
    }

    fn cross(&mut self) -> Result<(), Difference> {
        for slot in 0..SLOTS {
            self.hang(slot)?;
        }
        // Addresses, sessions and numbers stay with the directories.
        mem::swap(&mut self.theirs, &mut self.ours);
        mem::swap(&mut self.theirs.name, &mut self.ours.name);
        mem::swap(&mut self.their_server, &mut self.our_server);
        self.exchange_programs().map_err(|error| broken("new", &error))
    }

    fn exchange_programs(&mut self) -> io::Result<()> {
        let servers = [&mut self.their_server, &mut self.our_server];
        let programs = servers.map(|server| server.program().clone());
        let servers = [&mut self.our_server, &mut self.their_server];
        for (server, program) in servers.into_iter().zip(programs) {
            server.stop()?;
            server.hand_over(&program);
            server.restart()?;
            // What a quota's use is, Apache's server takes from the log, where a change between
            // the making of its two znodes is not counted; from a snapshot it counts anew, as ours
            // always does. Now there is a snapshot.
            server.stop()?;
            server.restart()?;
        }
        Ok(())
    }

    fn expire(&mut self, expire: &Expire) -> Result<(), Difference> {
        let Expire { slot, observer, .. } = *expire;
        if !self.can_talk(observer, None) || self.theirs.is_linked(slot) {
            return Ok(());
        }
        self.observe(observer, AddWatch { path: &expire.marker, is_added: true })?;
        let mut frames = expire.frames.clone();
        frames.push(Frame::ping());
        self.send(slot, Some(&expire.connect), &frames, None)?;
        let theirs = collect(&mut self.theirs, slot, true, &frames, Until::Ping);
        let ours = collect(&mut self.ours, slot, true, &frames, Until::Ping);
        self.note_grant(Some(&expire.connect), &theirs, &ours);
        let (mut rest, mut our_rest) = (Vec::new(), Vec::new());
        if expire.hangs {
            rest = self.theirs.hang_up(slot);
            our_rest = self.ours.hang_up(slot);
        }
        let place = format!("client {slot}");
        let stream = Stream {
            place,
            has_handshake: true,
            frames: &frames,
            ends_session: false,
            unlike: None,
        };
        let sides = (&mut self.theirs, &mut self.ours);
        self.judge.compare(&stream, sides, theirs, ours)?;
        let events = (
            receive_to_deletion(&mut self.theirs, observer, &expire.marker),
            receive_to_deletion(&mut self.ours, observer, &expire.marker),
        );
        if !expire.hangs {
            rest = self.theirs.receive_to_end(slot);
            our_rest = self.ours.receive_to_end(slot);
        }
        self.compare_rest(format!("client {slot} after its session"), rest, our_rest)?;
        // Further events of the same end may stand behind the marker's: the barrier takes them.
        self.finish_expiry(observer, events)?;
        self.observe(observer, AddWatch { path: &expire.marker, is_added: false })
    }

    /// Compares the observer's events, those that were awaited and those behind them, and then
    /// everybody else's.
    fn finish_expiry(
        &mut self,
        observer: Slot,
        (mut theirs, mut ours): (Vec<Received>, Vec<Received>),
    ) -> Result<(), Difference> {
        let frames = [Frame::ping()];
        self.send(observer, None, &frames, None)?;
        theirs.extend(self.theirs.receive_to_ping(observer, 1));
        ours.extend(self.ours.receive_to_ping(observer, 1));
        let stream = Stream {
            place: format!("observer {observer}"),
            has_handshake: false,
            frames: &frames,
            ends_session: true,
            unlike: None,
        };
        let sides = (&mut self.theirs, &mut self.ours);
        let answers = self.judge.compare(&stream, sides, theirs, ours)?;
        self.note_newest(&answers);
        self.barrier(Some(observer), true, None)
    }

    /// Sets or removes the persistent watch by which an expiry is seen.
    fn observe(&mut self, observer: Slot, watch: AddWatch<'_>) -> Result<(), Difference> {
        let talk = Talk {
            slot: observer,
            connect: None,
            frames: vec![watch.frame()],
            until: Until::Ping,
            cut: None,
        };
        self.talk(&talk).map(|_| ())
    }

    fn outsider(&mut self, outsider: &Outsider) -> Result<(), Difference> {
        let read = |side: &Side| match side.outsider(&outsider.bytes) {
            Ok((answer, end)) if outsider.is_command => {
                let mut lines = commands::masked(side, &outsider.bytes, &answer);
                lines.push(format!("{end:?}"));
                lines
            }
            Ok((answer, end)) => vec![super::seen::quote(&answer), format!("{end:?}")],
            Err(error) => vec![error.to_string()],
        };
        let (theirs, ours) = (read(&self.theirs), read(&self.ours));
        self.judge.compare_text("an outsider's connection", theirs, ours)
    }

    /// A ping on every connection: whatever the last step caused has arrived before its reply.
    fn barrier(
        &mut self,
        except: Option<Slot>,
        ends_session: bool,
        unlike: Option<&'static str>,
    ) -> Result<(), Difference> {
        let frames = [Frame::ping()];
        let slots: Vec<Slot> = (0..SLOTS)
            .filter(|&slot| Some(slot) != except || unlike.is_some())
            .filter(|&slot| self.theirs.is_linked(slot) || self.ours.is_linked(slot))
            .collect();
        for &slot in &slots {
            self.send(slot, None, &frames, None)?;
        }
        for slot in slots {
            let theirs = self.theirs.receive_to_ping(slot, 1);
            let ours = self.ours.receive_to_ping(slot, 1);
            let place = format!("client {slot}, which only watched");
            let stream =
                Stream { place, has_handshake: false, frames: &frames, ends_session, unlike };
            let sides = (&mut self.theirs, &mut self.ours);
            let answers = self.judge.compare(&stream, sides, theirs, ours)?;
            self.note_newest(&answers);
        }
        Ok(())
    }

    fn compare_rest(
        &mut self,
        place: String,
        theirs: Vec<Received>,
        ours: Vec<Received>,
    ) -> Result<(), Difference> {
        let stream =
            Stream { place, has_handshake: false, frames: &[], ends_session: true, unlike: None };
        let sides = (&mut self.theirs, &mut self.ours);
        self.judge.compare(&stream, sides, theirs, ours).map(|_| ())
    }

    /// Whether the step's connection and session exist.
    fn can_talk(&self, slot: Slot, connect: Option<&Connect>) -> bool {
        match connect.map(|connect| connect.session) {
            None => self.theirs.is_linked(slot) && self.ours.is_linked(slot),
            Some(SessionRef::Known(name)) => self.theirs.knows(name) && self.ours.knows(name),
            Some(SessionRef::New(_) | SessionRef::Unknown) => true,
        }
    }

    /// Sends on both servers, and gives back what is left of the slot's older connections.
    fn send(
        &mut self,
        slot: Slot,
        connect: Option<&Connect>,
        frames: &[Frame],
        cut: Option<usize>,
    ) -> Result<OldStreams, Difference> {
        let mut old_links = Vec::new();
        for side in [&mut self.theirs, &mut self.ours] {
            let mut bytes = Vec::new();
            let mut old_link = None;
            if let Some(connect) = connect {
                old_link = side.open(slot).map_err(|error| broken(side.name, &error))?;
                bytes = side.handshake(connect, self.newest).unwrap_or_default();
            }
            for frame in frames {
                bytes.extend(side.encode(frame, self.newest));
            }
            side.send(slot, &bytes, cut);
            old_links.push(old_link);
        }
        let mut old_links =
            old_links.into_iter().map(|link| link.map(|link| link.receive_to_end()));
        Ok((old_links.next().flatten(), old_links.next().flatten()))
    }

    fn note_grant(&mut self, connect: Option<&Connect>, theirs: &[Received], ours: &[Received]) {
        let Some(SessionRef::New(name)) = connect.map(|connect| connect.session) else { return };
        for (side, received) in [(&mut self.theirs, theirs), (&mut self.ours, ours)] {
            if let Some(Received::Frame(frame)) = received.first() {
                side.note_grant(name, frame);
            }
        }
    }

    fn note_newest(&mut self, answers: &[Answer]) {
        let zxids = answers.iter().map(|answer| answer.seen.zxid);
        self.newest = zxids.fold(self.newest, i64::max);
    }
}

/// What still came on both servers' connections whose place was taken.
type OldStreams = (Option<Vec<Received>>, Option<Vec<Received>>);

/// The observer's watch.
struct AddWatch<'a> {
    path: &'a str,
    is_added: bool,
}

impl AddWatch<'_> {
    fn frame(&self) -> Frame {
        // Persistent for `addWatch`; any type for `removeWatches`.
        let (op, mode): (Op, i32) =
            if self.is_added { (Op::AddWatch, 0) } else { (Op::RemoveWatches, 3) };
        let mut record = self.path.to_vec();
        record.extend(mode.to_vec());
        Frame::request(1, op.code(), &format!("{op} {} {mode}", self.path), &record)
    }
}

fn collect(
    side: &mut Side,
    slot: Slot,
    has_handshake: bool,
    frames: &[Frame],
    until: Until,
) -> Vec<Received> {
    let mut all = Vec::new();
    if has_handshake {
        all.push(side.receive(slot));
    }
    if all.last().is_some_and(|received| !matches!(received, Received::Frame(_))) {
        return all;
    }
    all.extend(match until {
        Until::Closed => side.receive_to_end(slot),
        Until::Ping | Until::Unlike(_) => {
            let pings = frames.iter().filter(|frame| frame.op() == Op::Ping.code()).count();
            side.receive_to_ping(slot, pings)
        }
    });
    all
}

/// Reads until an event says that `path` is gone.
fn receive_to_deletion(side: &mut Side, slot: Slot, path: &str) -> Vec<Received> {
    let mut record = 2_i32.to_vec();
    record.extend(3_i32.to_vec());
    record.extend(path.to_vec());
    let mut all = Vec::new();
    loop {
        let received = side.receive(slot);
        let is_last = match &received {
            Received::Frame(frame) => frame.get(16..) == Some(&record),
            Received::Closed | Received::Silence => true,
        };
        all.push(received);
        if is_last {
            return all;
        }
    }
}

fn ends_session(frames: &[Frame]) -> bool {
    frames.iter().any(|frame| frame.op() == Op::CloseSession.code())
}

fn broken(name: &str, error: &io::Error) -> Difference {
    let lines = vec![error.to_string()];
    Difference {
        place: format!("the {name} server"),
        theirs: lines.clone(),
        ours: lines,
        at: 0,
        signature: "a server is gone".to_owned(),
    }
}
