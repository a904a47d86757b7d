//! Compares what two clients saw, frame by frame.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;

use super::expected::{Case, Effect, TABLE};
use super::script::Frame;
use super::seen::{Kind, Seen, is_event, xid_of};
use super::side::{Received, Side};

/// Two servers behaved differently, and no row of the table says why.
#[derive(Clone, Debug)]
pub(crate) struct Difference {
    /// On whose connection.
    pub(crate) place: String,
    /// What came from the reference, in order.
    pub(crate) theirs: Vec<String>,
    /// What came from the server under test.
    pub(crate) ours: Vec<String>,
    /// The first place where they part.
    pub(crate) at: usize,
    /// What parts there, without the particulars: a shorter script must show the same.
    pub(crate) signature: String,
}

/// What one client's turn is compared by.
#[derive(Debug)]
pub(crate) struct Stream<'a> {
    /// On whose connection.
    pub(crate) place: String,
    /// Whether it begins with a handshake's answer.
    pub(crate) has_handshake: bool,
    /// What was sent, pings included.
    pub(crate) frames: &'a [Frame],
    /// Whether a session ended: its ephemerals go in any order, and so do their events.
    pub(crate) ends_session: bool,
    /// The row that the step names as its own.
    pub(crate) unlike: Option<&'static str>,
}

/// Something that was compared.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// The index of the frame that it replies to.
    pub(crate) frame: Option<usize>,
    /// What both servers say.
    pub(crate) seen: Seen,
    /// Whether they only say so by a row of the table.
    pub(crate) is_excused: bool,
}

/// Compares, and counts how often each row was needed.
#[derive(Debug, Default)]
pub(crate) struct Judge {
    hits: BTreeMap<&'static str, usize>,
    compared: usize,
}

impl Judge {
    /// Compares one connection's two streams.
    ///
    /// # Errors
    ///
    /// The first difference that no row expects.
    pub(crate) fn compare(
        &mut self,
        stream: &Stream<'_>,
        sides: (&mut Side, &mut Side),
        theirs: Vec<Received>,
        ours: Vec<Received>,
    ) -> Result<Vec<Answer>, Difference> {
        let (their_items, our_items) = (stream.arrange(theirs), stream.arrange(ours));
        let mut answers = Vec::new();
        for at in 0..their_items.len().max(our_items.len()) {
            let pair = (their_items.get(at), our_items.get(at));
            let same = match pair {
                (Some(theirs), Some(ours)) => self.same(stream, (sides.0, sides.1), theirs, ours),
                _ => None,
            };
            let Some(Compared { seen, is_excused }) = same else {
                let signature = [(&*sides.0, pair.0), (&*sides.1, pair.1)].map(|(side, item)| {
                    let seen = item.map(|item| item.seen(side, stream));
                    seen.map(|seen| (seen.kind, seen.error))
                });
                return Err(Difference {
                    place: stream.place.clone(),
                    theirs: lines(sides.0, stream, &their_items),
                    ours: lines(sides.1, stream, &our_items),
                    at,
                    signature: format!("{signature:?}"),
                });
            };
            answers.push(Answer { frame: their_items[at].frame, seen, is_excused });
        }
        Ok(answers)
    }

    /// Compares the texts of a four-letter word.
    ///
    /// # Errors
    ///
    /// If they differ.
    pub(crate) fn compare_text(
        &mut self,
        place: &str,
        theirs: Vec<String>,
        ours: Vec<String>,
    ) -> Result<(), Difference> {
        self.compared += 1;
        if theirs == ours {
            return Ok(());
        }
        let at = theirs.iter().zip(&ours).take_while(|(theirs, ours)| theirs == ours).count();
        // Which line it is, whatever the numbers in it.
        let line = theirs.get(at).or_else(|| ours.get(at)).map_or("", String::as_str);
        let signature = line.chars().filter(|letter| !letter.is_ascii_digit()).collect();
        Err(Difference { place: place.to_owned(), theirs, ours, at, signature })
    }

    /// How many frames were compared.
    #[must_use]
    pub(crate) fn compared(&self) -> usize {
        self.compared
    }

    /// How often each row of the table was needed.
    #[must_use]
    pub(crate) fn hits(&self) -> &BTreeMap<&'static str, usize> {
        &self.hits
    }

    /// What both saw, or `None` if they differ.
    fn same(
        &mut self,
        stream: &Stream<'_>,
        (their_side, our_side): (&mut Side, &mut Side),
        theirs: &Item,
        ours: &Item,
    ) -> Option<Compared> {
        self.compared += 1;
        let mut seen = theirs.seen(their_side, stream);
        let mut other = ours.seen(our_side, stream);
        let frame = theirs.frame.map(|frame| &stream.frames[frame]);
        let case = Case { frame, unlike: stream.unlike };
        let mut needed = Vec::new();
        for row in TABLE {
            match (row.rule)(&case, &mut seen, &mut other) {
                Effect::None => continue,
                Effect::Alike => {}
                Effect::Burns { theirs: their_offset, ours: our_offset } => {
                    their_side.burn(&theirs.received, their_offset);
                    our_side.burn(&ours.received, our_offset);
                    // Everything in the frames counts anew.
                    seen = theirs.seen(their_side, stream);
                    other = ours.seen(our_side, stream);
                }
            }
            needed.push(row.name);
        }
        if seen != other {
            return None;
        }
        for &name in &needed {
            *self.hits.entry(name).or_default() += 1;
        }
        Some(Compared { seen, is_excused: !needed.is_empty() })
    }
}

/// What both saw, perhaps by a row of the table.
struct Compared {
    seen: Seen,
    is_excused: bool,
}

/// Something received, with the frame it answers.
#[derive(Debug)]
struct Item {
    received: Received,
    frame: Option<usize>,
    is_handshake: bool,
}

impl Item {
    fn seen(&self, side: &Side, stream: &Stream<'_>) -> Seen {
        if self.is_handshake {
            return Seen::handshake(side, &self.received);
        }
        Seen::reply(side, &self.received, self.frame.map(|frame| stream.frames[frame].op()))
    }

    fn is_event(&self) -> bool {
        !self.is_handshake && matches!(&self.received, Received::Frame(frame) if is_event(frame))
    }
}

impl Stream<'_> {
    /// Finds the request of each reply, and gives the order in which two servers can be compared:
    /// replies that upstream sends past others stand first.
    fn arrange(&self, received: Vec<Received>) -> Vec<Item> {
        let (at_once, in_order): (Vec<usize>, Vec<usize>) =
            (0..self.frames.len()).partition(|&index| self.frames[index].is_answered_at_once());
        let (mut at_once, mut in_order) = (at_once, VecDeque::from(in_order));
        let (mut first, mut items) = (Vec::new(), Vec::new());
        for (index, received) in received.into_iter().enumerate() {
            let is_handshake = index == 0 && self.has_handshake;
            let mut item = Item { received, frame: None, is_handshake };
            match &item.received {
                Received::Frame(frame) if !is_handshake && !is_event(frame) => {
                    let xid = xid_of(frame);
                    let early =
                        at_once.iter().position(|&index| Some(self.frames[index].xid()) == xid);
                    if let Some(early) = early {
                        item.frame = Some(at_once.remove(early));
                        first.push(item);
                        continue;
                    }
                    item.frame = in_order.pop_front();
                }
                _ => {}
            }
            items.push(item);
        }
        if self.ends_session {
            for run in items.chunk_by_mut(|one, two| one.is_event() && two.is_event()) {
                run.sort_by(|one, two| {
                    one.received.event_record().cmp(two.received.event_record())
                });
            }
        }
        first.extend(items);
        first
    }
}

impl Received {
    /// An event without its header.
    fn event_record(&self) -> &[u8] {
        match self {
            Self::Frame(frame) => frame.get(16..).unwrap_or_default(),
            Self::Closed | Self::Silence => &[],
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "on {}:", self.place)?;
        for (name, lines) in [("theirs", &self.theirs), ("ours", &self.ours)] {
            writeln!(f, "  {name}:")?;
            for (index, line) in lines.iter().enumerate() {
                writeln!(f, "  {} {line}", if index == self.at { "->" } else { "  " })?;
            }
        }
        Ok(())
    }
}

fn lines(side: &Side, stream: &Stream<'_>, items: &[Item]) -> Vec<String> {
    items.iter().map(|item| item.seen(side, stream).to_string()).collect()
}

impl Answer {
    /// Whether it is a success.
    #[must_use]
    pub(crate) fn is_ok(&self) -> bool {
        self.seen.error == 0 && matches!(self.seen.kind, Kind::Reply(_))
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};

    use zookeeper_core::wire::{Encode, Op};

    use super::*;

    fn side() -> Side {
        Side::new("a side", SocketAddr::from((Ipv4Addr::LOCALHOST, 1)), 1)
    }

    fn reply(xid: i32, zxid: i64, error: i32) -> Received {
        let mut frame = xid.to_vec();
        frame.extend(zxid.to_vec());
        frame.extend(error.to_vec());
        Received::Frame(frame)
    }

    fn event(zxid: i64, path: &str) -> Received {
        let Received::Frame(mut frame) = reply(-1, zxid, 0) else { unreachable!() };
        frame.extend(2_i32.to_vec());
        frame.extend(3_i32.to_vec());
        frame.extend(path.to_vec());
        Received::Frame(frame)
    }

    fn stream(frames: &[Frame], ends_session: bool) -> Stream<'_> {
        let place = "a client".to_owned();
        Stream { place, has_handshake: false, frames, ends_session, unlike: None }
    }

    fn request(xid: i32, op: Op) -> Frame {
        Frame::request(xid, op.code(), op.name(), &[])
    }

    #[test]
    fn authentication_may_be_answered_early() {
        let frames = [request(1, Op::Delete), request(-4, Op::Auth)];
        let (delete, auth) = (reply(1, 5, 0), reply(-4, 0, 0));
        let (theirs, ours) = (vec![auth.clone(), delete.clone()], vec![delete, auth]);
        let answers = Judge::default()
            .compare(&stream(&frames, false), (&mut side(), &mut side()), theirs, ours)
            .expect("no difference");
        assert_eq!(answers.len(), 2);
    }

    #[test]
    fn only_a_session_ends_with_events_in_any_order() {
        let theirs = vec![event(-1, "/a"), event(-1, "/b"), reply(-2, 4, 0)];
        let ours = vec![event(4, "/b"), event(4, "/a"), reply(-2, 4, 0)];
        let frames = [Frame::ping()];
        let mut judge = Judge::default();
        for ends_session in [true, false] {
            let (theirs, ours) = (theirs.clone(), ours.clone());
            let stream = stream(&frames, ends_session);
            let same = judge.compare(&stream, (&mut side(), &mut side()), theirs, ours);
            assert_eq!(same.is_ok(), ends_session);
        }
        assert_eq!(judge.hits().get("zxid of events"), Some(&2));
    }

    #[test]
    fn a_burned_zxid_is_left_out_from_then_on() {
        let frames = [request(1, Op::SetData), request(2, Op::SetData), Frame::ping()];
        let (mut theirs, mut ours) = (side(), side());
        let answers = Judge::default()
            .compare(
                &stream(&frames, false),
                (&mut theirs, &mut ours),
                vec![reply(1, 8, -5), reply(2, 9, -101), reply(-2, 9, 0)],
                vec![reply(1, 7, -5), reply(2, 8, -101), reply(-2, 8, 0)],
            )
            .expect("no difference");
        assert_eq!(answers.iter().map(|answer| answer.seen.zxid).collect::<Vec<_>>(), [7, 8, 8]);
        assert_eq!((theirs.zxids.logical(20), ours.zxids.logical(20)), (19, 20));
    }

    #[test]
    fn a_difference_shows_where_it_is() {
        let frames = [request(1, Op::Delete), Frame::ping()];
        let difference = Judge::default()
            .compare(
                &stream(&frames, false),
                (&mut side(), &mut side()),
                vec![reply(1, 3, -101), reply(-2, 3, 0)],
                vec![reply(1, 3, -101), Received::Closed],
            )
            .expect_err("a difference");
        assert_eq!(difference.at, 1);
        assert_eq!(difference.theirs.len(), 2);
    }
}
