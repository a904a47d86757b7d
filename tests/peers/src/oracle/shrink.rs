//! Makes a script that shows a difference shorter.

use std::io;

use super::judge::Difference;
use super::script::{Frame, Step};

/// How many tries a script is worth; each starts both servers.
const TRIES_MAX: usize = 400;

/// Plays a script on fresh servers.
pub(crate) type Play<'a> = &'a dyn Fn(&[Step]) -> io::Result<Option<Difference>>;

/// A script that shows a difference, and the tries that are left to shorten it.
pub(crate) struct Shrinker<'a> {
    play: Play<'a>,
    steps: Vec<Step>,
    difference: Difference,
    tries_left: usize,
}

impl<'a> Shrinker<'a> {
    /// Starts with a script and what it shows.
    pub(crate) fn new(play: Play<'a>, steps: Vec<Step>, difference: Difference) -> Self {
        Self { play, steps, difference, tries_left: TRIES_MAX }
    }

    /// The shortest script found that still shows the same.
    pub(crate) fn shrink(mut self) -> (Vec<Step>, Difference) {
        loop {
            let before = self.size();
            self.cut_steps();
            self.cut_frames();
            if self.size() == before || self.tries_left == 0 {
                return (self.steps, self.difference);
            }
        }
    }

    /// Leaves out steps: halves first, single ones last.
    fn cut_steps(&mut self) {
        let mut width = self.steps.len().div_ceil(2);
        while width > 0 {
            let mut start = 0;
            while start < self.steps.len() {
                let mut shorter = self.steps.clone();
                shorter.drain(start..(start + width).min(self.steps.len()));
                if !self.take(shorter) {
                    start += width;
                }
            }
            width /= 2;
        }
    }

    /// Leaves out single frames.
    fn cut_frames(&mut self) {
        for step in (0..self.steps.len()).rev() {
            let mut frame = 0;
            while frame < frames(&mut self.steps[step]).map_or(0, |frames| frames.len()) {
                let mut shorter = self.steps.clone();
                if let Some(frames) = frames(&mut shorter[step]) {
                    frames.remove(frame);
                }
                if !self.take(shorter) {
                    frame += 1;
                }
            }
        }
    }

    /// Takes over a shorter script if it shows the same.
    fn take(&mut self, shorter: Vec<Step>) -> bool {
        if self.tries_left == 0 {
            return false;
        }
        self.tries_left -= 1;
        match (self.play)(&shorter) {
            Ok(Some(difference)) if difference.signature == self.difference.signature => {
                self.steps = shorter;
                self.difference = difference;
                true
            }
            _ => false,
        }
    }

    fn size(&self) -> usize {
        self.steps.iter().map(Step::operations).sum()
    }
}

fn frames(step: &mut Step) -> Option<&mut Vec<Frame>> {
    match step {
        Step::Talk(talk) => Some(&mut talk.frames),
        // The first frame makes what the observer waits for.
        Step::Expire(_) | Step::Hang(_) | Step::Outsider(_) | Step::Cross => None,
    }
}
