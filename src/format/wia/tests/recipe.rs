//! Made-up files: what stands in their fields, and the checksums over it.

use std::io::Write;

use bzip2::{Compression, write::BzEncoder};
use ruzstd::encoding::{CompressionLevel, compress_to_vec};

use crate::format::wia::bytes::sha1;

/// What stands in the fields of a made-up file, before it is sealed by its checksums.
#[derive(Clone)]
pub(super) struct Recipe {
    pub(super) magic: [u8; 4],
    pub(super) version: u32,
    pub(super) method: u32,
    pub(super) settings: Vec<u8>,
    pub(super) chunk: usize,
    pub(super) size: usize,
    pub(super) start: Vec<u8>,
    pub(super) partitions: Vec<u8>,
    pub(super) raw: Vec<u8>,
    pub(super) groups: Vec<u8>,
    /// Stored chunks, from [`DATA_AT`] on.
    pub(super) data: Vec<u8>,
}

const DATA_AT: usize = 512;

pub(super) fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

pub(super) fn number(n: usize) -> u32 {
    u32::try_from(n).unwrap()
}

pub(super) fn raw_entry(start: u64, len: u64, first: u32, groups: u32) -> Vec<u8> {
    [
        start.to_be_bytes().to_vec(),
        len.to_be_bytes().to_vec(),
        words(&[first, groups]),
    ]
    .concat()
}

pub(super) fn compress(method: u32, plain: &[u8]) -> Vec<u8> {
    match method {
        1 => purge(&[(0, plain)]),
        2 => {
            let mut encoder = BzEncoder::new(Vec::new(), Compression::best());
            encoder.write_all(plain).unwrap();
            encoder.finish().unwrap()
        }
        5 => compress_to_vec(plain, CompressionLevel::Fastest),
        _ => plain.to_vec(),
    }
}

pub(super) fn purge(segments: &[(u32, &[u8])]) -> Vec<u8> {
    let mut stored = Vec::new();
    for (at, bytes) in segments {
        stored.extend(words(&[*at, number(bytes.len())]));
        stored.extend_from_slice(bytes);
    }
    stored.extend(sha1(&stored));
    stored
}

impl Recipe {
    pub(super) fn new(magic: [u8; 4], method: u32, chunk: usize) -> Self {
        Self {
            magic,
            version: 0x0100_0000,
            method,
            settings: vec![],
            chunk,
            size: 0,
            start: vec![0; 128],
            partitions: vec![],
            raw: vec![],
            groups: vec![],
            data: vec![],
        }
    }

    fn is_rvz(&self) -> bool {
        self.magic[0] == b'R'
    }

    /// Adds a group that is stored as these bytes.
    pub(super) fn store(&mut self, stored: &[u8], is_compressed: bool, packed: u32) {
        let flag = u32::from(self.is_rvz() && is_compressed) << 31;
        self.data.resize(self.data.len().next_multiple_of(4), 0);
        let at = number((DATA_AT + self.data.len()) / 4);
        self.groups
            .extend(words(&[at, number(stored.len()) | flag]));
        if self.is_rvz() {
            self.groups.extend(words(&[packed]));
        }
        self.data.extend_from_slice(stored);
    }

    fn group_count(&self) -> usize {
        self.groups.len() / if self.is_rvz() { 12 } else { 8 }
    }

    pub(super) fn file(&self) -> Vec<u8> {
        let mut file = vec![0; DATA_AT];
        file.extend(&self.data);
        let raw_at = file.len();
        let raw = compress(self.method, &self.raw);
        file.extend(&raw);
        let groups_at = file.len();
        let groups = compress(self.method, &self.groups);
        file.extend(&groups);
        let partitions_at = file.len();
        file.extend(&self.partitions);
        let long = |at: usize| [0, number(at)];
        let [raw_len, groups_len] = [raw.len(), groups.len()].map(number);
        let mut disc = words(&[2, self.method, 5, number(self.chunk)]);
        disc.extend(&self.start);
        disc.extend(words(&[number(self.partitions.len() / 48), 48]));
        disc.extend(words(&long(partitions_at)));
        disc.extend(sha1(&self.partitions));
        disc.extend(words(&[number(self.raw.len() / 24)]));
        disc.extend(words(&long(raw_at)));
        disc.extend(words(&[raw_len, number(self.group_count())]));
        disc.extend(words(&long(groups_at)));
        disc.extend(words(&[groups_len]));
        disc.push(u8::try_from(self.settings.len()).unwrap());
        disc.extend(&self.settings);
        disc.resize(220, 0);
        file[72..292].copy_from_slice(&disc);
        file[..4].copy_from_slice(&self.magic);
        file[4..16].copy_from_slice(&words(&[self.version, self.version, 220]));
        let sizes = [long(self.size), long(file.len())].concat();
        file[36..52].copy_from_slice(&words(&sizes));
        seal(&mut file);
        file
    }
}

/// Makes the checksums of both headers.
pub(super) fn seal(file: &mut [u8]) {
    let sum = sha1(&file[72..292]);
    file[16..36].copy_from_slice(&sum);
    let sum = sha1(&file[..52]);
    file[52..72].copy_from_slice(&sum);
}

pub(super) const RVZ: [u8; 4] = *b"RVZ\x01";
pub(super) const WIA: [u8; 4] = *b"WIA\x01";
