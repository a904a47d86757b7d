//! Transactions from a log, applied again.
//!
//! A snapshot of Apache's is taken while transactions go on, so the log behind it may tell of
//! things that the tree has seen already. What does not fit is left out, record by record; a tree
//! and a log of our own always fit.
//!
//! | log says | tree says | then |
//! |---|---|---|
//! | any change | the znode (or its parent) is not there | nothing |
//! | `create` | the znode is there | the parent counts it, the znode gets the ACL |
//! | other creates | the znode is there | nothing |
//! | create | the parent has counted further | the parent stays as it is |
//! | delete | the parent has changed since | the parent stays as it is |
//! | delete | the znode has children | they go, too: the log makes them again |
//! | `closeSession` | it has other ephemerals | both go, those listed and those of the session |
//!
//! Behaviour: `org.apache.zookeeper.server.persistence.FileTxnSnapLog.processTransaction` and
//! `DataTree.processTxn`.

use super::{
    Tree,
    apply::{Misfit, Step, is_error},
    quota,
};
use crate::{
    ids::SessionId,
    wire::{Txn, TxnHeader},
};

impl Tree {
    /// Applies a transaction from a log, leaving out what does not fit. Nobody is told. Returns
    /// whether everything fitted.
    pub fn replay(&mut self, header: &TxnHeader, txn: &Txn<'_>) -> bool {
        self.last_zxid = self.last_zxid.max(header.zxid);
        let mut step = Step { header, fired: None };
        let fits = match txn {
            Txn::Multi(txns) if txns.iter().any(is_error) => true,
            Txn::Multi(txns) => {
                let mut fits = true;
                for txn in txns {
                    fits &= self.apply_one(&mut step, txn).is_ok();
                }
                fits
            }
            txn => self.apply_one(&mut step, txn).is_ok(),
        };
        self.digests.record(header.zxid, self.digest());
        fits
    }

    /// Ends a recovery. Ephemerals of sessions that nobody knows go, without a transaction, and
    /// quotas are counted anew. Returns how many ephemerals went.
    pub fn finish_recovery(&mut self) -> usize {
        let orphans = self.sessions.orphans();
        let zxid = self.last_zxid;
        let header = TxnHeader { session: SessionId::NONE, cxid: 0, zxid, time_ms: 0 };
        for &id in &orphans {
            let gone = self.delete(&mut Step { header: &header, fired: None }, id);
            debug_assert!(!matches!(gone, Err(Misfit)), "an ephemeral can go");
        }
        let limits: Vec<Box<str>> = self
            .nodes
            .iter()
            .filter_map(|(_, node)| {
                let (parent, name) = node.path.rsplit_once('/')?;
                (name == quota::LIMITS).then(|| quota::subject(parent)).flatten()
            })
            .map(Into::into)
            .collect();
        for subject in limits {
            self.quotas.add(&subject);
            self.count_usage(&subject);
        }
        orphans.len()
    }
}
