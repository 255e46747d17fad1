//! Images of formats that are not read, known by their marks: the message names them, and a tool that turns them into
//! one that is.
//!
//! | at | mark | format |
//! |---|---|---|
//! | 0 | `DAA`, 0 | DAA of `PowerISO` |
//! | 0 | `GBI`, 0 | GBI of gBurner |
//! | 0 | 0, `PBP` | PBP, the package of a PSP program, which can hold discs of the first `PlayStation` |
//! | 0 | `WII`, 1, `DISC` | WDF of wit |
//! | 0 | ae 0f 38 a2 | TGC, a `GameCube` disc inside another |
//! | 0 | `7z`, bc af 27 1c | 7z archive |
//! | 0 | `Rar!`, 1a 07 | RAR archive |
//! | 0 | `LZIP` | file of lzip |
//! | 0 | 5d 0 0 | file of LZMA before xz (a guess: it has no mark, these are the usual settings) |
//! | 0x200 | `NKIT` | `NKit`, a disc without what can be made again |
//! | 8 before the end | 0x80000004 to 0x80000006, then a position in the file; both little-endian | CDI of `DiscJuggler` |
//!
//! Sources: files of those formats, the documentation of Dolphin and of `NKit`, and what libMirage and wit read.

use crate::source::Source;

/// What stands at the front of a file, and what the file is then.
const FRONTS: &[(&[u8], &str)] = &[
    (
        b"DAA\0",
        "this is a DAA image of PowerISO, which is not read; daa2iso makes an ISO of it",
    ),
    (
        b"GBI\0",
        "this is a GBI image of gBurner, which is not read; daa2iso makes an ISO of it",
    ),
    (
        b"\0PBP",
        "this is a PBP package of a PSP, which is not read; PSXPackager makes BIN and CUE of the discs in it",
    ),
    (
        b"WII\x01DISC",
        "this is a WDF image of a Wii disc, which is not read; `wit copy` makes an ISO of it",
    ),
    (
        b"\xae\x0f\x38\xa2",
        "this is a TGC image of a GameCube disc, which is not read; `dolphin-tool convert` makes an ISO of it",
    ),
    (
        b"7z\xbc\xaf\x27\x1c",
        "this is a 7z archive, which is not read; `7z x` takes its images out",
    ),
    (
        b"Rar!\x1a\x07",
        "this is a RAR archive, which is not read; `unrar x` takes its images out",
    ),
    (
        b"LZIP",
        "this is a file of lzip, which is not read; `lzip -dc | xz -T0` makes a file of it that is",
    ),
    (
        b"\x5d\0\0",
        "this looks like a file of LZMA, which is not read; `xz --format=lzma -dc | xz -T0` makes a file of it that is",
    ),
];

const NKIT: &str =
    "this is an NKit image, which is not read; NKit's ConvertToISO makes the ISO of it again";

const CDI: &str =
    "this is a CDI image of DiscJuggler, which is not read; cdirip takes its tracks out";

/// Names a format that is not read.
pub(super) fn named(head: &[u8], source: &dyn Source) -> Option<&'static str> {
    let front = FRONTS.iter().find(|(mark, _)| head.starts_with(mark));
    let front = front.map(|(_, sentence)| *sentence);
    front
        .or_else(|| (four(source, Some(0x200)) == Some(*b"NKIT")).then_some(NKIT))
        .or_else(|| is_cdi(source).then_some(CDI))
}

fn is_cdi(source: &dyn Source) -> bool {
    let len = source.len();
    let [version, position] = [8, 4].map(|back| {
        let four = four(source, len.checked_sub(back));
        four.map_or(0, u32::from_le_bytes)
    });
    let is_inside = position > 0 && u64::from(position) < len;
    (0x8000_0004..=0x8000_0006).contains(&version) && is_inside
}

fn four(source: &dyn Source, at: Option<u64>) -> Option<[u8; 4]> {
    let at = at.filter(|at| source.len().checked_sub(4).is_some_and(|last| *at <= last))?;
    let mut four = [0; 4];
    source.read_exact_at(&mut four, at).ok()?;
    Some(four)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::{
        ErrorKind,
        format::{self, OpenOptions},
    };

    /// A place and the bytes there.
    type Mark<'b> = (usize, &'b [u8]);

    /// A file with these marks.
    fn file(parts: &[Mark<'_>]) -> Vec<u8> {
        let mut file = vec![0x11; 4096];
        for (at, bytes) in parts {
            file[*at..*at + bytes.len()].copy_from_slice(bytes);
        }
        file
    }

    fn refused(file: &[u8]) -> String {
        let err = format::open(Arc::new(file.to_vec()), &OpenOptions::alone()).unwrap_err();
        assert_eq!(err.kind(), ErrorKind::UnknownFormat);
        let probed = format::probe(&file.to_vec(), "x.iso".as_ref()).unwrap_err();
        assert_eq!(probed.to_string(), err.to_string());
        err.to_string()
    }

    #[test]
    fn rejects_each_by_name_with_what_to_do() {
        let cdi = [6, 0, 0, 0x80, 0, 1, 0, 0];
        let files: [(&str, &str, Mark<'_>); 11] = [
            ("DAA", "daa2iso", (0, b"DAA\0\0\0")),
            ("GBI", "daa2iso", (0, b"GBI\0\0\0")),
            ("PBP", "PSXPackager", (0, b"\0PBP")),
            ("WDF", "wit", (0, b"WII\x01DISC")),
            ("TGC", "dolphin-tool", (0, b"\xae\x0f\x38\xa2")),
            ("7z", "7z x", (0, b"7z\xbc\xaf\x27\x1c\0\x04")),
            ("RAR", "unrar", (0, b"Rar!\x1a\x07\x01")),
            ("lzip", "xz -T0", (0, b"LZIP\x01")),
            ("LZMA", "--format=lzma", (0, b"\x5d\0\0\x80\0")),
            ("NKit", "ConvertToISO", (0x200, b"NKIT v01")),
            ("CDI", "cdirip", (4096 - 8, &cdi)),
        ];
        for (name, tool, part) in files {
            let message = refused(&file(&[part]));
            assert!(
                message.contains(name) && message.contains(tool),
                "{message}"
            );
            assert!(message.contains("is not read"), "{message}");
        }
    }

    #[test]
    fn a_cdi_needs_a_version_and_a_position_inside_the_file() {
        for end in [
            [7, 0, 0, 0x80, 0, 1, 0, 0],
            [6, 0, 0, 0x80, 0, 0, 0, 0],
            [6, 0, 0, 0x80, 0, 0, 1, 0],
        ] {
            let message = refused(&file(&[(4096 - 8, &end)]));
            assert!(message.starts_with("this is no disc image"), "{message}");
        }
    }

    #[test]
    fn a_file_too_short_for_any_mark_is_unknown() {
        for len in 0..12 {
            assert!(refused(&vec![0; len]).starts_with("this is no disc image"));
        }
    }
}
