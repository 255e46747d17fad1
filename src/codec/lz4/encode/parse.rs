//! The fewest bytes for a stretch of a block, worked out from its end to its start.

use super::put_sequence;
use crate::codec::chains::{Match, SHORTEST};

/// The cheapest way from each position of a segment to its end.
#[derive(Debug, Default)]
pub(super) struct Parse {
    pub(super) matches: Vec<Match>,
    /// Bytes for everything from a position on, when a match has just ended there.
    costs: Vec<u32>,
    /// The literals to put there, and the length of the match behind them (0 for none).
    steps: Vec<(u32, u32)>,
    /// Matches that could be the next one, the nearest last. The farther ones are cheaper.
    next: Vec<Candidate>,
}

/// A match that literals could lead to.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    at: usize,
    len: u32,
    /// Bytes from the match on, plus the position, so that literals on the way are counted.
    cost: u32,
}

/// Literals that fit in a token, and in a token and one byte.
const SHORT_RUN: usize = 14;
const MIDDLE_RUN: usize = SHORT_RUN + 255;

/// The longest match whose length fits in a token.
const SHORT_MATCH: usize = 18;

impl Parse {
    /// Works out costs and steps for the first `len` positions. `last` says that the block ends behind them.
    pub(super) fn weigh(&mut self, len: usize, last: bool) {
        self.costs.clear();
        self.costs.resize(len + 1, 0);
        self.steps.clear();
        self.steps.resize(len + 1, (0, 0));
        self.next.clear();
        let (mut short, mut middle) = (0, 0);
        for at in (0..len).rev() {
            if self.matches[at].len >= SHORTEST {
                let candidate = self.candidate(at);
                while self
                    .next
                    .last()
                    .is_some_and(|next| next.cost >= candidate.cost)
                {
                    self.next.pop();
                }
                self.next.push(candidate);
                short = short.min(self.next.len() - 1);
                middle = middle.min(self.next.len() - 1);
            }
            let run = |next: &Candidate| next.at - at;
            while self
                .next
                .get(short)
                .is_some_and(|next| run(next) > SHORT_RUN)
            {
                short += 1;
            }
            while self
                .next
                .get(middle)
                .is_some_and(|next| run(next) > MIDDLE_RUN)
            {
                middle += 1;
            }
            (self.costs[at], self.steps[at]) = self.cheapest(at, len, last, short, middle);
        }
    }

    /// The cheapest step from `at`: to the end, or to the farthest match after a short or middle run of literals, or
    /// to the nearest match when they are all farther. `short` and `middle` are the places of these in `next`.
    fn cheapest(
        &self,
        at: usize,
        len: usize,
        last: bool,
        short: usize,
        middle: usize,
    ) -> (u32, (u32, u32)) {
        let rest = small(len - at);
        let mut best = (rest + tail_token(len - at, last), (rest, 0));
        let mut consider = |next: &Candidate, token: u32| {
            let cost = token + next.cost - small(at);
            if cost < best.0 {
                best = (cost, (small(next.at - at), next.len));
            }
        };
        if let Some(next) = self.next.get(short) {
            consider(next, 1);
        }
        match (self.next.get(middle), self.next.last()) {
            (Some(next), _) if middle < short => consider(next, 2),
            (None, Some(next)) => consider(next, 1 + more_bytes(next.at - at, 15)),
            _ => {}
        }
        best
    }

    /// The match at `at`, in the form that is cheapest: as long as it can be, or a little shorter.
    fn candidate(&self, at: usize) -> Candidate {
        let longest = self.matches[at].len;
        let cost = |len: usize| 2 + more_bytes(len - SHORTEST, 15) + self.costs[at + len];
        let (mut best, mut best_cost) = (longest, cost(longest));
        let shorter = (SHORTEST.max(longest.saturating_sub(3))..longest).rev();
        for len in shorter.chain((longest > SHORT_MATCH).then_some(SHORT_MATCH)) {
            let cost = cost(len);
            if cost < best_cost {
                (best, best_cost) = (len, cost);
            }
        }
        Candidate {
            at,
            len: small(best),
            cost: best_cost + small(at),
        }
    }

    /// Appends the sequences of a segment; literals from `anchor` on wait. Returns where the last match ends.
    pub(super) fn put(
        &self,
        plain: &[u8],
        start: usize,
        anchor: usize,
        out: &mut Vec<u8>,
    ) -> usize {
        let (mut anchor, mut at) = (anchor, 0);
        loop {
            let (literals, len) = self.steps[at];
            at += literals as usize;
            if len == 0 {
                return anchor;
            }
            let found = Match {
                len: len as usize,
                ..self.matches[at]
            };
            put_sequence(&plain[anchor..start + at], Some(found), out);
            at += found.len;
            anchor = start + at;
        }
    }
}

/// Bytes for literals up to the end, besides themselves. In an inner segment the next one counts them.
fn tail_token(literals: usize, last: bool) -> u32 {
    if last {
        1 + more_bytes(literals, 15)
    } else {
        0
    }
}

/// Bytes that a length needs behind its four bits in the token.
fn more_bytes(length: usize, in_token: usize) -> u32 {
    match length.checked_sub(in_token) {
        None => 0,
        Some(rest) => small(rest / 255 + 1),
    }
}

/// A length inside a segment, or its cost.
fn small(n: usize) -> u32 {
    u32::try_from(n).expect("it is at most a block")
}
