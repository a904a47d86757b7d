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
