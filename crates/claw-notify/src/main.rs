//! Tell people what records say, and lose no alert.
//!
//! **What is accepted is on the disk.** The filter reads lines, appends those that are loud enough (and
//! those that pass, which may end something) to a segment of its own, `SPOOL/in/00000012`, syncs, and
//! only then passes the lines on: a line that came out was accepted. While the disk is busy the next
//! lines gather, so that one sync serves all of them. A segment is a file of lines, each behind its
//! checksum; the first says for whom the others are, so that another process can deliver them. Its
//! number and the line's are the id of a record, `#12.3`, which stands in every message that tells it.
//! Its writer holds a lock on it; half a line behind a writer that is gone was never accepted.
//!
//! **One process delivers at a time**, the one that holds `SPOOL/lock`: a filter beside its filtering,
//! or `flush`. It reads the segments from where it was, and keeps what it knows in `SPOOL/state`, a
//! journal of transactions: how far it has read, the incidents, the messages that wait for a receipt,
//! what was sent when, what silences there are. A transaction is written before what it says is acted
//! on: that records are in a message before the message is sent, that something is sent before it is.
//! So a kill at any byte loses nothing, and what is sent twice is at most what was on its way. A segment
//! is removed when everything in it was told and the journal that says so is on the disk; if the
//! journal is lost, all that is still there is read and told again, under the same ids.
//!
//! **An incident** is what is told of one subject on one host, see [`incident`]: it opens, is told after
//! a short wait, lasts, gets worse, ends, flaps, settles, is forgotten. A message is written only when
//! the one before it has its receipt; until then incidents gather what comes, and what is due then is
//! told as one where it is much. So a storm, or a day without a network, is a handful of messages, and
//! memory does not grow with what waits: of more than a thousand subjects at once the rest is a
//! [`flood`], counted and told. Programs get each record by itself instead, straight from the segment.
//!
//! **A route** is a list of targets in order of failover, see [`health`]: one receipt is enough. A target
//! that fails is tried again ever more seldom, one that refuses for good is left alone for an hour and
//! told through the others, one that asks to wait is not asked before ([`limits`]); all of that outlives
//! the process. Whoever is logged in is told last, and that is no receipt. What no target will ever take
//! is kept as dead.
//!
//! Waits are by a clock that nobody sets ([`clock`]). Names of hosts are asked of `getent`, as the C
//! library's resolver does not work in a program that is linked statically. Secrets come out of files
//! when something is sent, and nothing that is written or said holds them.

mod accept;
mod args;
mod censor;
mod channels;
mod clock;
mod command;
mod compose;
mod deliverer;
mod desk;
mod engine;
mod entry;
mod fact;
mod flood;
mod health;
mod http;
mod incident;
mod limits;
mod means;
mod message;
mod proxy;
mod route;
mod run;
mod secret;
mod silence;
mod spool;
mod text;
mod trial;
mod verbs;

use std::process::ExitCode;

fn main() -> ExitCode {
    if let Some(end) = channels::openclaw::ERRAND.serve().or_else(|| channels::file::ERRAND.serve())
    {
        return end;
    }
    match args::parse() {
        Ok(args) => claw_record::report("claw-notify", run::run(&args)),
        Err(end) => end,
    }
}
