//! What is compared when a directory changes hands.

use std::collections::BTreeMap;
use std::io;

use crate::relay::picture::Picture;
use crate::server::Server;

/// A server with nothing under way.
#[derive(Debug)]
pub(super) struct Seen {
    picture: Picture,
    recovered_zxid: String,
    newest_zxid: String,
    digests: BTreeMap<String, String>,
}

impl Seen {
    pub(super) fn of(server: &Server) -> io::Result<Self> {
        // The session that takes the picture begins and ends with a transaction.
        let recovered_zxid = zxid(server)?;
        let picture = Picture::take(server.address());
        let newest_zxid = zxid(server)?;
        Ok(Self { picture, recovered_zxid, newest_zxid, digests: digests(server)? })
    }

    /// The newest zxid before anything was looked at.
    pub(super) fn recovered_zxid(&self) -> &str {
        &self.recovered_zxid
    }

    /// The newest zxid.
    pub(super) fn newest_zxid(&self) -> &str {
        &self.newest_zxid
    }

    /// How many digests of the tree both servers know.
    ///
    /// # Panics
    ///
    /// If `after` does not show the same, with everything up to `zxid` recovered and no more.
    pub(super) fn assert_same(&self, zxid: &str, after: &Self, what: &str) -> usize {
        self.picture.assert_same(&after.picture, what);
        assert_eq!(zxid, after.recovered_zxid, "{what}: the newest zxid");
        let mut count = 0;
        for (zxid, digest) in &self.digests {
            if let Some(other) = after.digests.get(zxid) {
                count += 1;
                assert_eq!(digest, other, "{what}: the tree's digest at {zxid}");
            }
        }
        count
    }
}

/// What Apache's server says of the superuser's `auth` in an ACL, and of a four-letter word that
/// comes while it starts.
const NOTHING: [&str; 2] =
    ["Missing AuthenticationProvider for super", "Error closing a command socket"];

/// Lines of a server's log that none should have written.
pub(super) fn complaints(log: &str) -> Vec<&str> {
    let is_complaint = |line: &&str| {
        let is_error = !NOTHING.iter().any(|words| line.contains(words))
            && line.split_whitespace().any(|word| word == "ERROR");
        let line = line.to_lowercase();
        // Our server counts, Apache's complains of each.
        let is_unlike = match line.split_once("digest_mismatches=") {
            Some((_, count)) => count.trim() != "0",
            None => {
                let unlike = ["mismatch", "not match", "should be"];
                line.contains("digest") && unlike.iter().any(|word| line.contains(word))
            }
        };
        is_error || is_unlike
    };
    log.lines().filter(is_complaint).collect()
}

fn zxid(server: &Server) -> io::Result<String> {
    let text = server.four_letter_word("srvr")?;
    let line = text.lines().find_map(|line| line.strip_prefix("Zxid: "));
    line.map(str::to_owned).ok_or_else(|| io::Error::other(format!("no zxid in {text:?}")))
}

/// Digests by zxid, of every 128th transaction, as both servers remember them.
fn digests(server: &Server) -> io::Result<BTreeMap<String, String>> {
    let text = server.four_letter_word("hash")?;
    let lines = text.lines().filter_map(|line| line.split_once(' '));
    Ok(lines.map(|(zxid, digest)| (zxid.to_owned(), digest.to_owned())).collect())
}

#[cfg(test)]
mod tests {
    use super::complaints;

    #[test]
    fn a_count_of_none_is_no_complaint() {
        let quiet = "INFO recovered /d zxid=0x7 misfits=0 orphans=0 digest_mismatches=0";
        let ours = "INFO recovered /d zxid=0x7 misfits=0 orphans=0 digest_mismatches=1";
        let apache = "ERROR Digests are not matching. Value is Zxid.";
        let known = "ERROR Missing AuthenticationProvider for super";
        let log = [quiet, ours, apache, known].join("\n");
        assert_eq!(complaints(&log), [ours, apache]);
    }
}
