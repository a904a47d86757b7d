//! Lines of an export, one after the other.

use std::io::{BufRead, Read as _};

use super::{
    super::failure::CommandError,
    line::{End, Header, Line, NodeLine},
};

/// The longest line: the largest data with every byte escaped, several times over.
const LINE_MAX: u64 = 64 << 20;

/// Reads lines, and checks that they come in the order of an export.
pub(crate) struct LineReader<R> {
    input: R,
    file: String,
    /// Of the line that was read last.
    number: u64,
    znodes: u64,
    end: Option<End>,
    line: Vec<u8>,
    bytes: u64,
}

impl<R: BufRead> LineReader<R> {
    /// Of an input that is called `file` in errors.
    pub(crate) fn new(input: R, file: String) -> Self {
        Self { input, file, number: 0, znodes: 0, end: None, line: Vec::new(), bytes: 0 }
    }

    /// How many bytes were read.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The first line.
    pub(crate) fn header(&mut self) -> Result<Header, CommandError> {
        match self.line()? {
            Some(Line::Header(header)) => Ok(header),
            Some(_) => Err(self.wrong("it is not the first line of an export")),
            None => Err(self.wrong("there is nothing: no export is empty")),
        }
    }

    /// The next znode, and the number of its line; `None` behind the last line.
    pub(crate) fn node(&mut self) -> Result<Option<(u64, NodeLine)>, CommandError> {
        match self.line()? {
            Some(_) if self.end.is_some() => Err(self.wrong("it stands behind the last line")),
            Some(Line::Node(node)) => {
                self.znodes += 1;
                Ok(Some((self.number, node)))
            }
            Some(Line::End(end)) if end.znodes == self.znodes => {
                self.end = Some(end);
                self.node()
            }
            Some(Line::End(end)) => {
                let (znodes, expected) = (self.znodes, end.znodes);
                Err(self.wrong(&format!("{expected} znodes were exported, and {znodes} are here")))
            }
            Some(Line::Header(_)) => Err(self.wrong("another export begins")),
            None if self.end.is_some() => Ok(None),
            None => Err(self.wrong("the last line of the export is missing: it was cut off here")),
        }
    }

    /// What an error is about.
    pub(crate) fn at(&self, first: u64, last: u64, error: CommandError) -> CommandError {
        CommandError::AtLine { file: self.file.clone(), first, last, error: Box::new(error) }
    }

    /// The next line that is not blank.
    fn line(&mut self) -> Result<Option<Line>, CommandError> {
        loop {
            self.line.clear();
            let mut input = self.input.by_ref().take(LINE_MAX + 1);
            let system = |source| CommandError::System { what: self.file.clone(), source };
            let length = input.read_until(b'\n', &mut self.line).map_err(system)?;
            self.number += 1;
            self.bytes += length as u64;
            if length == 0 {
                return Ok(None);
            }
            if length as u64 > LINE_MAX {
                return Err(self.wrong("it is longer than any line of an export"));
            }
            if !self.line.trim_ascii().is_empty() {
                return Line::parse(&self.line).map(Some).map_err(|reason| self.wrong(&reason));
            }
        }
    }

    fn wrong(&self, reason: &str) -> CommandError {
        self.at(self.number, self.number, CommandError::Content(reason.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = r#"{"format":"zookeeper-export","version":1,"root":"/a"}"#;
    const NODE: &str = r#"{"path":"/b","data":null,"kind":"persistent",
        "acl":[{"scheme":"world","id":"anyone","perms":"r"}]}"#;
    const END: &str = r#"{"end":true,"znodes":1,"skipped":0,"gone":0,"hiddenAcls":0}"#;

    fn read(lines: &[&str]) -> Result<Vec<u64>, String> {
        let text: String = lines.iter().map(|line| line.replace('\n', " ") + "\n").collect();
        let mut reader = LineReader::new(text.as_bytes(), "f".into());
        let mut all = || {
            reader.header()?;
            let mut numbers = Vec::new();
            while let Some((number, _)) = reader.node()? {
                numbers.push(number);
            }
            Ok(numbers)
        };
        all().map_err(|error: CommandError| error.to_string())
    }

    #[test]
    fn an_export_is_read_line_by_line() {
        assert_eq!(read(&[HEADER, NODE, END]), Ok(vec![2]));
        assert_eq!(read(&["", HEADER, "  ", NODE, END, ""]), Ok(vec![4]));
    }

    #[test]
    fn whatever_is_not_one_is_refused_with_its_line() {
        for (lines, message) in [
            (&[][..], "f, line 1: there is nothing"),
            (&[NODE], "f, line 1: it is not the first line"),
            (&[HEADER], "f, line 2: the last line of the export is missing"),
            (&[HEADER, NODE], "f, line 3: the last line of the export is missing"),
            (&[HEADER, HEADER], "f, line 2: another export begins"),
            (&[HEADER, NODE, NODE, END], "f, line 4: 1 znodes were exported, and 2 are here"),
            (&[HEADER, NODE, END, NODE], "f, line 4: it stands behind the last line"),
            (&[HEADER, "{"], "f, line 2: it is no JSON"),
        ] {
            let error = read(lines).expect_err(message);
            assert!(error.starts_with(message), "{error}");
        }
    }

    #[test]
    fn a_line_without_an_end_takes_no_memory_without_an_end() {
        let endless = std::io::BufReader::new(std::io::repeat(b'x'));
        let error = LineReader::new(endless, "f".into()).header().expect_err("too long");
        assert_eq!(error.to_string(), "f, line 1: it is longer than any line of an export");
    }
}
