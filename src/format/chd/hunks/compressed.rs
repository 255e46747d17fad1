//! The map of version 5 with compression, which is compressed itself.
//!
//! | offset | size | field |
//! |---|---|---|
//! | 0 | 4 | bytes of the map behind this header |
//! | 4 | 6 | position of the first stored hunk |
//! | 10 | 2 | CRC-16 of the map as 12 bytes for each hunk |
//! | 12 | 1 | bits of a stored length |
//! | 13 | 1 | bits of the number of a copied hunk |
//! | 14 | 1 | bits of a place in the parent, in units |
//! | 15 | 1 | 0 |
//!
//! Behind it are bits: a Huffman code, then the kind of each hunk in it (with repetitions), then what each kind
//! needs: length and CRC-16 of a stored hunk, which all follow each other, or the place that a hunk is copied from.

use super::{Hunk, Sum, flatten, table};
use crate::{
    Error, Result,
    format::chd::{
        bits::Bits,
        codecs::Method,
        crc16,
        header::Header,
        huffman::{Code, Fault},
    },
    source::{Source, read_array},
};

#[derive(Debug)]
pub(in crate::format::chd) struct Compressed {
    /// Kind in the highest four bits; below the stored length, the number of the copied hunk, or the high bits of
    /// the place in the parent.
    entries: Vec<u32>,
    /// The CRC-16, or the low bits of the place in the parent.
    sums: Vec<u16>,
    /// Where each [`STRIDE`]th hunk would be stored; those behind it follow.
    places: Vec<u64>,
    hunk_len: u32,
    unit_len: u32,
    methods: [Method; 4],
}

/// Hunks whose lengths are added up to find a place.
const STRIDE: u32 = 32;

const HEADER_LEN: usize = 16;

/// Kinds: 0 to 3 are compressed by the method of that number.
const PLAIN: u8 = 4;
const COPY: u8 = 5;
const PARENT: u8 = 6;
/// Kinds that stand for others, in the compressed map only.
const REPEAT: u8 = 7;
const REPEAT_LONG: u8 = 8;
const COPY_SAME: u8 = 9;
const COPY_NEXT: u8 = 10;
const PARENT_HERE: u8 = 11;
const PARENT_SAME: u8 = 12;
const PARENT_NEXT: u8 = 13;

/// The most hunks that one byte of a map can stand for: three bits repeat a kind 273 times.
const MOST_HUNKS_PER_BYTE: u64 = 8 * 273 / 3;

impl Compressed {
    pub(super) fn read(source: &dyn Source, header: &Header) -> Result<Self> {
        let head: [u8; HEADER_LEN] = read_array(source, header.map_at, "map header")?;
        let len = u64::from(u32::from_be_bytes([head[0], head[1], head[2], head[3]]));
        if u64::from(header.hunks()) > len.saturating_mul(MOST_HUNKS_PER_BYTE) {
            return Err(Error::corrupt(format!(
                "the map has {len} bytes, too few for {} hunks",
                header.hunks()
            )));
        }
        let widths = Widths::parse(&head)?;
        let bytes = table(source, header.map_at + HEADER_LEN as u64, len, "the map")?;
        let mut bits = Bits::new(&bytes);
        let bad = |why: Fault| Error::corrupt(format!("the map does not decode: {why}"));
        let kinds = kinds(&mut bits, header.hunks()).map_err(bad)?;
        let first =
            u64::from_be_bytes([0, 0, head[4], head[5], head[6], head[7], head[8], head[9]]);
        let mut reading = Reading::new(header, first);
        for kind in kinds {
            reading.add(kind, &mut bits, &widths).map_err(bad)?;
        }
        if bits.is_overrun() {
            return Err(bad("it ends too early"));
        }
        let claimed = u16::from_be_bytes([head[10], head[11]]);
        if reading.crc != claimed {
            return Err(Error::corrupt(format!(
                "the map has the CRC-16 {:04x}, the file says {claimed:04x}",
                reading.crc
            )));
        }
        let mut map = reading.map;
        if reading.has_copies {
            flatten(&mut map, header.hunks(), Self::copied, Self::set_copied)?;
        }
        Ok(map)
    }

    fn kind(&self, hunk: u32) -> u8 {
        (self.entries[hunk as usize] >> 28) as u8
    }

    fn low(&self, hunk: u32) -> u32 {
        self.entries[hunk as usize] & 0x0fff_ffff
    }

    fn copied(&self, hunk: u32) -> Option<u32> {
        (self.kind(hunk) == COPY).then(|| self.low(hunk))
    }

    fn set_copied(&mut self, hunk: u32, target: u32) {
        self.entries[hunk as usize] = u32::from(COPY) << 28 | target;
    }

    /// The bytes that a hunk takes in the file.
    fn stored_len(&self, hunk: u32) -> u32 {
        match self.kind(hunk) {
            0..=3 => self.low(hunk),
            PLAIN => self.hunk_len,
            _ => 0,
        }
    }

    pub(super) fn hunk(&self, number: u32) -> Hunk {
        let number = self.copied(number).unwrap_or(number);
        let sum = self.sums[number as usize];
        let kind = self.kind(number);
        if kind == PARENT {
            let unit = u64::from(self.low(number)) << 16 | u64::from(sum);
            return Hunk::Parent(unit * u64::from(self.unit_len));
        }
        let start = number - number % STRIDE;
        let between = (start..number).map(|hunk| u64::from(self.stored_len(hunk)));
        let method = self.methods.get(usize::from(kind)).copied();
        Hunk::Stored {
            at: self.places[(start / STRIDE) as usize] + between.sum::<u64>(),
            len: self.stored_len(number),
            method: method.unwrap_or(Method::Nothing),
            sum: Sum::Crc16(sum),
        }
    }
}

/// How many bits numbers have.
struct Widths {
    length: u32,
    copied: u32,
    parent: u32,
}

impl Widths {
    fn parse(head: &[u8; HEADER_LEN]) -> Result<Self> {
        let width = |at: usize, most: u8, what: &str| match head[at] {
            bits if bits <= most => Ok(u32::from(bits)),
            bits => Err(Error::corrupt(format!(
                "{what} has {bits} bits in the map, the most are {most}"
            ))),
        };
        Ok(Self {
            length: width(12, 24, "a length")?,
            copied: width(13, 32, "the number of a copied hunk")?,
            parent: width(14, 44, "a place in the parent")?,
        })
    }
}

/// The kind of each hunk.
fn kinds(bits: &mut Bits<'_>, hunks: u32) -> std::result::Result<Vec<u8>, Fault> {
    let code = Code::read_repeated(bits, 16)?;
    let mut kinds = Vec::with_capacity(hunks as usize);
    let mut last = 0;
    let next = |bits: &mut Bits<'_>| Ok::<_, Fault>(code.next(bits)? as usize);
    while kinds.len() < hunks as usize {
        let kind = u8::try_from(next(bits)?).expect("there are 16 symbols");
        let count = match kind {
            REPEAT => 3 + next(bits)?,
            REPEAT_LONG => 3 + 16 + (next(bits)? << 4) + next(bits)?,
            PARENT_NEXT.. if kind > PARENT_NEXT => return Err("there is no such kind of hunk"),
            _ => {
                last = kind;
                1
            }
        };
        let count = count.min(hunks as usize - kinds.len());
        kinds.extend(std::iter::repeat_n(last, count));
        if bits.is_overrun() {
            return Err("it ends too early");
        }
    }
    Ok(kinds)
}

/// A map that is being read.
struct Reading {
    map: Compressed,
    /// Where the next stored hunk is.
    at: u64,
    last_copied: u64,
    has_copies: bool,
    /// In units.
    last_parent: u64,
    units_per_hunk: u64,
    crc: u16,
}

impl Reading {
    fn new(header: &Header, first: u64) -> Self {
        let hunks = header.hunks() as usize;
        Self {
            map: Compressed {
                entries: Vec::with_capacity(hunks),
                sums: Vec::with_capacity(hunks),
                places: Vec::with_capacity(hunks.div_ceil(STRIDE as usize)),
                hunk_len: header.hunk_len,
                unit_len: header.unit_len,
                methods: header.methods,
            },
            at: first,
            last_copied: 0,
            has_copies: false,
            last_parent: 0,
            units_per_hunk: u64::from(header.hunk_len / header.unit_len),
            crc: crc16::START,
        }
    }

    fn add(
        &mut self,
        kind: u8,
        bits: &mut Bits<'_>,
        widths: &Widths,
    ) -> std::result::Result<(), Fault> {
        let number = self.map.entries.len();
        if number % STRIDE as usize == 0 {
            self.map.places.push(self.at);
        }
        match kind {
            0..=PLAIN => {
                self.add_stored(kind, bits, widths.length);
                Ok(())
            }
            COPY => self.add_copy(u64::from(bits.take(widths.copied))),
            COPY_SAME => self.add_copy(self.last_copied),
            COPY_NEXT => self.add_copy(self.last_copied + 1),
            PARENT => self.add_of_parent(bits.take_long(widths.parent)),
            PARENT_HERE => self.add_of_parent(number as u64 * self.units_per_hunk),
            PARENT_NEXT => self.add_of_parent(self.last_parent + self.units_per_hunk),
            _ => {
                debug_assert_eq!(kind, PARENT_SAME);
                self.add_of_parent(self.last_parent)
            }
        }
    }

    fn add_stored(&mut self, kind: u8, bits: &mut Bits<'_>, width: u32) {
        // Of hunks that are stored plain everybody knows the length.
        let width = if kind == PLAIN { 0 } else { width };
        let length_and_sum = bits.take_long(width + 16);
        let low = u32::try_from(length_and_sum >> 16).expect("24 bits at most");
        let len = if kind == PLAIN {
            self.map.hunk_len
        } else {
            low
        };
        let sum = (length_and_sum & 0xffff) as u16;
        self.push(kind, len, self.at, sum, low, sum);
        self.at += u64::from(len);
    }

    fn add_copy(&mut self, of: u64) -> std::result::Result<(), Fault> {
        self.last_copied = of;
        self.has_copies = true;
        let target = u32::try_from(of).ok();
        let target = target.filter(|&target| target < 1 << 28);
        let target = target.ok_or("a hunk is a copy of one that cannot be")?;
        self.push(COPY, 0, of, 0, target, 0);
        Ok(())
    }

    fn add_of_parent(&mut self, unit: u64) -> std::result::Result<(), Fault> {
        self.last_parent = unit;
        let high = u32::try_from(unit >> 16).ok();
        let high = high.filter(|&high| high < 1 << 28);
        let high = high.ok_or("a place in the parent is too far")?;
        self.push(PARENT, 0, unit, 0, high, (unit & 0xffff) as u16);
        Ok(())
    }

    /// Adds an entry, and what it is in 12 bytes to the checksum.
    fn push(&mut self, kind: u8, len: u32, place: u64, sum: u16, low: u32, low_sum: u16) {
        let [_, length @ ..] = len.to_be_bytes();
        let [_, _, place @ ..] = place.to_be_bytes();
        let mut entry = [0; 12];
        entry[0] = kind;
        entry[1..4].copy_from_slice(&length);
        entry[4..10].copy_from_slice(&place);
        entry[10..].copy_from_slice(&sum.to_be_bytes());
        self.crc = crc16::continued(self.crc, &entry);
        self.map.entries.push(u32::from(kind) << 28 | low);
        self.map.sums.push(low_sum);
    }
}
