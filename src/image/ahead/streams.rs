//! Which of a file's requests belong to a reader that goes straight on.

use std::{mem, ops::Range};

use super::pool::Wanted;

/// So many streams of one open file are told apart: a player reads sound, pictures and subtitles in turn.
const MOST: usize = 4;

/// A stream's third request shows that it is one.
const PROOF: u32 = 2;

/// Requests of this size are the kernel's own read-ahead. As several threads take them, they may come this many bytes
/// out of order.
const REORDERED: u64 = 64 << 10;
const DISORDER: u64 = 512 << 10;

/// A piece is given up when the reader is so many pieces past it: the kernel had its bytes already.
const PASSED: u64 = 8;

/// A stream is given up when so many requests of its file were no part of it.
const PATIENCE: u64 = 256;

/// Requests of one open file, sorted into streams.
#[derive(Debug, Default)]
pub(super) struct Streams {
    list: Vec<Stream>,
    /// Requests so far.
    clock: u64,
}

/// What to do for a request.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// The request is to be read from pieces, and other threads may decode these.
    pub(super) decode: Option<(Range<u64>, Wanted)>,
    /// Pieces that were decoded for nobody.
    pub(super) abandoned: Vec<u64>,
}

#[derive(Debug)]
struct Stream {
    /// Where the next request begins.
    next: u64,
    /// Requests that went on where the one before had ended.
    hits: u32,
    /// The first piece that was not asked to be decoded yet.
    frontier: u64,
    /// Pieces that were decoded ahead, and not yet read up to their end.
    unread: Vec<u64>,
    last_used: u64,
    /// Made when something is decoded ahead: readers that jump begin a stream with each request.
    wanted: Option<Wanted>,
}

impl Streams {
    /// Takes note of a request for the bytes of `range`, which lie in the pieces `asked`. A stream is decoded up to the
    /// piece `horizon`.
    pub(super) fn plan(&mut self, range: &Range<u64>, asked: &Range<u64>, horizon: u64) -> Plan {
        self.clock += 1;
        let mut plan = Plan::default();
        let goes_on = |stream: &Stream| stream.goes_on_with(range);
        if let Some(found) = self.list.iter().position(goes_on) {
            let stream = &mut self.list[found];
            stream.last_used = self.clock;
            stream.advance(range, asked, horizon, &mut plan);
        } else {
            self.pause();
            self.add(range.end, asked.end, &mut plan);
        }
        plan
    }

    /// Takes note that pieces were read up to their end.
    pub(super) fn consumed(&mut self, pieces: &Range<u64>) {
        for stream in &mut self.list {
            stream.unread.retain(|piece| !pieces.contains(piece));
        }
    }

    /// Gives up all streams, and returns the pieces that they leave behind.
    pub(super) fn end(&mut self) -> Vec<u64> {
        let list = mem::take(&mut self.list);
        list.into_iter().flat_map(Stream::end).collect()
    }

    /// A request that belongs to no stream may be a reader's that left one: nothing more is decoded for any until
    /// it goes on.
    fn pause(&mut self) {
        for stream in self.list.iter_mut().filter(|stream| stream.is_proven()) {
            stream.cancel();
            stream.hits = PROOF - 1;
        }
    }

    /// Begins a stream in the place of the one that is least likely to go on.
    fn add(&mut self, next: u64, frontier: u64, plan: &mut Plan) {
        let too_old = self.clock.saturating_sub(PATIENCE);
        let worth = |stream: &Stream| {
            (
                stream.last_used > too_old && stream.hits > 0,
                stream.last_used,
            )
        };
        if self.list.len() == MOST {
            let least = (0..MOST).min_by_key(|&at| worth(&self.list[at]));
            let least = self.list.swap_remove(least.unwrap_or(0));
            plan.abandoned.extend(least.end());
        }
        self.list.push(Stream {
            next,
            hits: 0,
            frontier,
            unread: Vec::new(),
            last_used: self.clock,
            wanted: None,
        });
    }
}

impl Stream {
    fn is_proven(&self) -> bool {
        self.hits >= PROOF
    }

    fn goes_on_with(&self, range: &Range<u64>) -> bool {
        let may_be_reordered = self.is_proven() && range.end - range.start >= REORDERED;
        range.start == self.next
            || (may_be_reordered && range.start.abs_diff(self.next) <= DISORDER)
    }

    /// Goes on with a request, and plans what to decode behind it.
    fn advance(&mut self, range: &Range<u64>, asked: &Range<u64>, horizon: u64, plan: &mut Plan) {
        self.next = self.next.max(range.end);
        self.hits = self.hits.saturating_add(1);
        if !self.is_proven() {
            return;
        }
        let decode = self.frontier.max(asked.start + 1)..horizon.max(asked.end);
        self.frontier = self.frontier.max(decode.end);
        self.unread.extend(decode.clone());
        self.unread.retain(|&piece| {
            let is_passed = piece + PASSED < asked.start;
            plan.abandoned.extend(is_passed.then_some(piece));
            !is_passed
        });
        let wanted = self.wanted.get_or_insert_default();
        plan.decode = Some((decode, wanted.clone()));
    }

    fn cancel(&mut self) {
        if let Some(wanted) = self.wanted.take() {
            wanted.cancel();
        }
    }

    fn end(mut self) -> Vec<u64> {
        self.cancel();
        self.unread
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PIECE: u64 = 128 << 10;

    /// What is decoded ahead for a request of `len` bytes at `at`, eight pieces at most.
    fn plan(streams: &mut Streams, at: u64, len: u64) -> Option<Range<u64>> {
        let asked = at / PIECE..(at + len).div_ceil(PIECE);
        let plan = streams.plan(&(at..at + len), &asked, asked.end + 8);
        plan.decode.map(|(pieces, _)| pieces)
    }

    /// Requests of a piece each, one behind the other.
    fn go(streams: &mut Streams, from: u64, to: u64) -> Option<Range<u64>> {
        let mut last = None;
        for piece in from..to {
            last = plan(streams, piece * PIECE, PIECE);
        }
        last
    }

    #[test]
    fn the_third_request_in_a_row_makes_a_stream() {
        let mut streams = Streams::default();
        assert_eq!(go(&mut streams, 5, 7), None);
        assert_eq!(go(&mut streams, 7, 8), Some(8..16));
        assert_eq!(go(&mut streams, 8, 9), Some(16..17));
    }

    #[test]
    fn small_requests_in_a_row_make_a_stream_too() {
        let mut streams = Streams::default();
        for at in 0..2 {
            assert_eq!(plan(&mut streams, at * 4096, 4096), None);
        }
        assert_eq!(plan(&mut streams, 2 * 4096, 4096), Some(1..9));
        assert_eq!(plan(&mut streams, 3 * 4096, 4096), Some(9..9));
    }

    #[test]
    fn jumps_make_no_stream() {
        let mut streams = Streams::default();
        for jump in 0..1000 {
            assert_eq!(plan(&mut streams, jump * 7919 % 1000 * 4096, 4096), None);
        }
    }

    #[test]
    fn large_requests_out_of_order_stay_in_their_stream_and_small_ones_do_not() {
        let mut streams = Streams::default();
        go(&mut streams, 0, 4);
        assert!(plan(&mut streams, 5 * PIECE, PIECE).is_some());
        assert!(plan(&mut streams, 4 * PIECE, PIECE).is_some());
        assert_eq!(plan(&mut streams, 5 * PIECE, 4096), None);
    }

    #[test]
    fn four_streams_of_one_file_are_told_apart() {
        let mut streams = Streams::default();
        let starts = [0, 1000, 2000, 3000];
        for turn in 0..6 {
            for start in starts {
                let ahead = go(&mut streams, start + turn, start + turn + 1);
                assert_eq!(ahead.is_some(), turn >= 2, "turn {turn}");
            }
        }
    }

    #[test]
    fn a_jump_cancels_what_waits_until_the_stream_goes_on() {
        let mut streams = Streams::default();
        go(&mut streams, 0, 3);
        let asked = 3..4;
        let (_, wanted) = streams
            .plan(&(3 * PIECE..4 * PIECE), &asked, 12)
            .decode
            .unwrap();
        assert!(wanted.is_wanted(20));
        assert_eq!(plan(&mut streams, 900 * PIECE, 4096), None);
        assert!(!wanted.is_wanted(20));
        assert_eq!(go(&mut streams, 4, 5), Some(12..13));
    }

    #[test]
    fn pieces_that_were_passed_over_or_left_behind_are_given_up() {
        let mut streams = Streams::default();
        go(&mut streams, 0, 3);
        streams.consumed(&(0..5));
        assert_eq!(streams.list[0].unread, [5, 6, 7, 8, 9, 10]);
        let asked = 4..5;
        assert!(
            streams
                .plan(&(4 * PIECE..5 * PIECE), &asked, 13)
                .abandoned
                .is_empty()
        );
        // The kernel had the pieces between here and there.
        streams.list[0].next = 15 * PIECE;
        let asked = 15..16;
        let plan = streams.plan(&(15 * PIECE..16 * PIECE), &asked, 24);
        assert_eq!(plan.abandoned, [5, 6]);
        assert_eq!(
            streams.end(),
            (7..24)
                .filter(|n| ![13, 14, 15].contains(n))
                .collect::<Vec<_>>()
        );
    }
}
