//! The mount options, as data.

use std::time::Duration;

use super::Settings;
use crate::{
    fs::{Naming, Tracks},
    fuse::session::Pattern,
};

/// A mount option.
#[derive(Debug)]
pub(in crate::cli) struct Word {
    pub(in crate::cli) name: &'static str,
    pub(in crate::cli) help: &'static str,
    pub(super) set: Set,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Set {
    Switch(fn(&mut Settings)),
    /// With the name of its value, and what sets it: the error is the rule that the value broke.
    Value(&'static str, fn(&mut Settings, &str) -> Taken),
    /// The same, but it may be given again and again, and each counts.
    Each(&'static str, fn(&mut Settings, &str) -> Taken),
    /// The same again, with the value that it has without one.
    Several(&'static str, &'static str, fn(&mut Settings, &str) -> Taken),
}

/// The rule that a value broke.
pub(super) type Taken = std::result::Result<(), &'static str>;

const fn switch(name: &'static str, help: &'static str, set: fn(&mut Settings)) -> Word {
    let set = Set::Switch(set);
    Word { name, help, set }
}

const fn value(
    name: &'static str,
    value: &'static str,
    help: &'static str,
    set: fn(&mut Settings, &str) -> Taken,
) -> Word {
    let set = Set::Value(value, set);
    Word { name, help, set }
}

/// Every option of plainiso's own.
pub(in crate::cli) static WORDS: &[Word] = &[
    switch("ro", "Mount read-only, as always.", |s| {
        s.wants_writing = false;
    }),
    switch(
        "allow_other",
        "Let all users in. For users other than root, /etc/fuse.conf must hold user_allow_other.",
        |s| s.allow_other = true,
    ),
    switch(
        "allow_root",
        "Let root in, besides the user who mounts.",
        |s| {
            s.allow_root = true;
        },
    ),
    switch(
        "default_permissions",
        "Let the kernel check permission bits. allow_other and allow_root imply it.",
        |s| s.default_permissions = true,
    ),
    switch(
        "auto_unmount",
        "Unmount even when plainiso is killed.",
        |s| s.auto_unmount = true,
    ),
    value(
        "uid",
        "N",
        "Owner of everything; the sources' owners without it.",
        |s, text| number(text).map(|n| s.uid = Some(n)),
    ),
    value(
        "gid",
        "N",
        "Group of everything; the sources' groups without it.",
        |s, text| number(text).map(|n| s.gid = Some(n)),
    ),
    value(
        "umask",
        "OCTAL",
        "Permission bits to take away; what the sources' own bits deny without it.",
        |s, text| octal(text).map(|bits| s.umask = Some(bits)),
    ),
    value(
        "fsname",
        "NAME",
        "What mount(8) and df show as the source.",
        |s, text| {
            s.fsname = Some(text.into());
            Ok(())
        },
    ),
    switch(
        "nonempty",
        "Allow a mountpoint that is not empty, as always.",
        |s| s.nonempty = true,
    ),
    value(
        "cache",
        "SIZE",
        "Memory for decoded blocks, all images together; k, m and g are understood. 64m without it.",
        |s, text| size(text).map(|bytes| s.cache = bytes),
    ),
    value(
        "threads",
        "N",
        "Threads that answer the kernel, from 1 to 64. As many as processors without it, but 2 to 4.",
        |s, text| threads(text).map(|n| s.threads = n),
    ),
    value(
        "readahead",
        "SIZE",
        "How far the kernel may read ahead of a reader; its own choice without it.",
        |s, text| readahead(text).map(|bytes| s.readahead = Some(bytes)),
    ),
    Word {
        name: "direct_io",
        help: "Read around the kernel's cache: all files, or those that match a pattern, such as *.bin. \
               May be given several times.",
        set: Set::Several("GLOB", "*", |s, text| {
            Pattern::new(text).map(|pattern| s.direct_io.push(pattern))
        }),
    },
    switch("images_only", "Leave out files that are no images.", |s| {
        s.images_only = true;
    }),
    value(
        "name",
        "strip|append",
        "Show Game.zso as Game.iso (strip), or as Game.zso.iso (append). strip without it.",
        |s, text| naming(text).map(|naming| s.naming = naming),
    ),
    value(
        "tracks",
        "FILES",
        "How a disc of one data track is shown: bin (its track with a sheet), iso, or both. both without it.",
        |s, text| tracks(text).map(|tracks| s.tracks = tracks),
    ),
    switch(
        "follow_links",
        "Follow symbolic links that lead out of the source.",
        |s| s.follow_links = true,
    ),
    switch(
        "nfs_export",
        "Let servers of NFS give the mount out; a file that is replaced gets another inode number then.",
        |s| s.nfs_export = true,
    ),
    value(
        "password-file",
        "PATH",
        "Read the password of encrypted images from this file.",
        |s, text| {
            s.password_file = Some(text.into());
            Ok(())
        },
    ),
    Word {
        name: "parent",
        help: "Look in this CHD, or this folder, for the parents of CHDs that are not beside them. \
               May be given several times.",
        set: Set::Each("PATH", |s, text| {
            s.parents.push(text.into());
            Ok(())
        }),
    },
    value(
        "idle",
        "TIME",
        "Unmount when nothing was open for so long: seconds, or m or h behind a number.",
        |s, text| time(text).map(|limit| s.idle = Some(limit)),
    ),
    switch(
        "unconfined",
        "Leave the threads that decode images all rights. Without it they can only read around the sources.",
        |s| s.unconfined = true,
    ),
    switch("mkdir", "Make the mountpoint when it is not there.", |s| {
        s.mkdir = true;
    }),
];

/// Words of mount(8) that mean something to the kernel.
pub(super) const PASSED_ON: &[&str] = &[
    "dev", "nodev", "suid", "nosuid", "exec", "noexec", "atime", "noatime",
];

/// Words of mount(8) that mean nothing here, or were acted on before we are called.
pub(super) const IGNORED: &[&str] = &[
    "defaults",
    "auto",
    "noauto",
    "nofail",
    "user",
    "nouser",
    "users",
    "nousers",
    "owner",
    "noowner",
    "group",
    "nogroup",
    "_netdev",
    "relatime",
    "norelatime",
    "strictatime",
    "nostrictatime",
    "diratime",
    "nodiratime",
    "lazytime",
    "nolazytime",
    "async",
    "sync",
    "dirsync",
    "iversion",
    "noiversion",
    "mand",
    "nomand",
    "silent",
    "loud",
    "symfollow",
    "nosymfollow",
];

/// More threads than this wait for each other at the kernel's queue.
const MAX_THREADS: usize = 64;

fn number(text: &str) -> std::result::Result<u32, &'static str> {
    text.parse().map_err(|_| "a number")
}

fn octal(text: &str) -> std::result::Result<u32, &'static str> {
    let bits = u32::from_str_radix(text, 8).ok();
    bits.filter(|bits| *bits <= 0o777)
        .ok_or("octal digits from 0 to 777")
}

fn size(text: &str) -> std::result::Result<usize, &'static str> {
    let rule = "a number of bytes, with k, m or g behind it for 2^10, 2^20, 2^30";
    let (digits, shift) = match text.char_indices().last() {
        Some((at, 'k' | 'K')) => (&text[..at], 10),
        Some((at, 'm' | 'M')) => (&text[..at], 20),
        Some((at, 'g' | 'G')) => (&text[..at], 30),
        _ => (text, 0),
    };
    let number: usize = digits.parse().map_err(|_| rule)?;
    number.checked_mul(1 << shift).ok_or(rule)
}

fn time(text: &str) -> std::result::Result<Duration, &'static str> {
    let rule = "a number of seconds, or of minutes or hours with m or h behind it, from 1 on";
    let (digits, unit) = match text.char_indices().last() {
        Some((at, 's')) => (&text[..at], 1),
        Some((at, 'm')) => (&text[..at], 60),
        Some((at, 'h')) => (&text[..at], 3600),
        _ => (text, 1),
    };
    let number: u32 = digits.parse().map_err(|_| rule)?;
    match u64::from(number) * unit {
        0 => Err(rule),
        seconds => Ok(Duration::from_secs(seconds)),
    }
}

fn readahead(text: &str) -> std::result::Result<u32, &'static str> {
    u32::try_from(size(text)?).map_err(|_| "less than 4g")
}

fn threads(text: &str) -> std::result::Result<usize, &'static str> {
    let threads = text.parse().ok();
    threads
        .filter(|n| (1..=MAX_THREADS).contains(n))
        .ok_or("a number from 1 to 64")
}

fn tracks(text: &str) -> std::result::Result<Tracks, &'static str> {
    match text {
        "both" => Ok(Tracks::Both),
        "bin" => Ok(Tracks::Bin),
        "iso" => Ok(Tracks::Iso),
        _ => Err("bin, iso or both"),
    }
}

fn naming(text: &str) -> std::result::Result<Naming, &'static str> {
    match text {
        "strip" => Ok(Naming::Strip),
        "append" => Ok(Naming::Append),
        _ => Err("strip or append"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_count_in_powers_of_1024() {
        assert_eq!(size("0"), Ok(0));
        assert_eq!(size("3K"), Ok(3 << 10));
        assert_eq!(size("64m"), Ok(64 << 20));
        assert_eq!(size("2g"), Ok(2 << 30));
    }
}
