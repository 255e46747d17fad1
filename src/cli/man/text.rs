//! The parts of the manual page that no definition tells.

use clap_mangen::roff::{Roff, bold, roman};

type Entries = &'static [(&'static str, &'static str)];

/// The sections behind the commands.
pub(super) fn sections() -> Roff {
    let mut page = Roff::new();
    paragraphs(&mut page, "MOUNT OPTIONS", MOUNT_OPTIONS);
    paragraphs(&mut page, "WHAT THE MOUNT SHOWS", MOUNT);
    paragraphs(&mut page, "EXTRACTING", EXTRACTING);
    paragraphs(&mut page, "VERIFYING", VERIFYING);
    paragraphs(&mut page, "CONVERTING", CONVERTING);
    entries(&mut page, "SIGNALS", SIGNALS);
    entries(&mut page, "EXIT STATUS", EXIT_STATUS);
    entries(&mut page, "ENVIRONMENT", ENVIRONMENT);
    entries(&mut page, "FILES", FILES);
    entries(&mut page, "EXAMPLES", EXAMPLES);
    paragraphs(
        &mut page,
        "SEE ALSO",
        &["mount(8), fuse(8), fusermount3(1), fstab(5)"],
    );
    page
}

fn paragraphs(page: &mut Roff, title: &str, paragraphs: &[&str]) {
    page.control("SH", [title]);
    for paragraph in paragraphs {
        page.control("PP", []).text([roman(*paragraph)]);
    }
}

fn entries(page: &mut Roff, title: &str, entries: Entries) {
    page.control("SH", [title]);
    for (term, meaning) in entries {
        page.control("TP", [])
            .text([bold(*term)])
            .text([roman(*meaning)]);
    }
}

const MOUNT_OPTIONS: &[&str] = &[
    "Every mount option that is listed above as a flag is also a word of the comma list behind -o, so that it can \
     stand in /etc/fstab: --cache 256m is -o cache=256m. A backslash takes the meaning from the comma behind it.",
    "The words dev, suid, exec, atime and their opposites are passed on. The other words of mount(8) (defaults, \
     noauto, nofail, user, _netdev, x-*, ...) are ignored. rw mounts read-only nevertheless, and says so; mount(8) \
     passes it on unless fstab says ro.",
    "A pattern of direct_io is for a file's name, or for its path below the mountpoint when it holds a /: *.bin, \
     /Games/*.iso, **/*.img. Reads of such a file go around the kernel's cache: faster for one pass from end to end, \
     slower for everything that is read again. It suits streaming, loop devices and machines with little memory.",
    "In the background, log messages go to syslog. Where no syslog listens they are lost, unless --log-file names a \
     file.",
    "--ready-fd N expects a pipe or a file that the caller opened for writing. Read from it up to the end of the \
     line: the descriptor itself stays open.",
];

const MOUNT: &[&str] = &[
    "Game.zso is shown as Game.iso. Where a plain file of that name stands beside it, or two images would get one \
     name, the compressed ones keep their whole name: Game.zso.iso. Other files are shown unchanged. The later files \
     of a split set are hidden. A damaged image is listed and cannot be opened; the log says why.",
    "On Linux 6.9 and newer, when root mounts, the kernel reads such other files by itself, as fast as where they are \
     stored. Statistics do not count that, and nothing of it is logged.",
    "A CHD that holds the differences to another one is read with that one, its parent, which is known by its SHA-1. It \
     is looked for in the same folder, and in what --parent names: a CHD or a folder of them.",
    "The password of an encrypted image is the text of a file of the same name with the ending .pwd beside it; \
     else the one that --password-file or PLAINISO_PASSWORD gives. For a single image, plainiso asks on the terminal.",
];

const EXTRACTING: &[&str] = &[
    "A file is called OUT.part until all of it is on the disk, and OUT.part.state tells whose bytes it holds. After an \
     interruption or a full disk, the same command goes on where the disk was known to be up to date, if the image has \
     still the same size and time and the last MiB before that point is the same. Otherwise it starts anew. Both files \
     are removed when the image turns out to be damaged.",
    "The finished file has the time of the stored one. A file that is there with the size and the time that the new \
     one would get is left as it is, which is a success; any other file is only replaced with --force. Zeroes become \
     holes where they fill 32 KiB.",
    "With --recursive, each compressed image becomes NAME.iso in the same folder, or in the same folder below OUT. Two \
     images of one folder that would get one name both keep their whole name: Game.cso.iso, Game.zso.iso.",
];

const VERIFYING: &[&str] = &[
    "Every block is decoded, so that the checksums of blocks (zlib, bzip2) are checked, and so are those of the whole \
     image (MD5 of JSO, CRC-32 of ISZ). Blocks without a checksum that decode to wrong bytes are found by these, or \
     by a DAT file. An image with a damaged block has no hashes. For each damaged block the files of the ISO 9660 \
     volume are named that have bytes in it.",
    "A DAT file is Logiqx XML, as Redump and No-Intro give it out; a .zip must be unpacked first. A disc is found when \
     its size and all hashes that the list gives are equal. An intact image that no list knows is a failure (1).",
];

const CONVERTING: &[&str] = &[
    "An output is written in a hidden folder beside its place, synced, and renamed when it is complete. Nothing is \
     left when the program is interrupted, the disk is full, or the source changes while it is read. A file that is \
     there already is kept unless --force is given; in folders, one that is what its source becomes is skipped.",
    "What --for stands for: ps2 is zso in blocks of 2 KiB; psp is cso in blocks of 2 KiB by zlib; emulator is cso in \
     blocks of 16 KiB; archive is cso in blocks of 256 KiB at the level max.",
];

const SIGNALS: Entries = &[
    (
        "SIGINT, SIGTERM",
        "Unmount, lazily when the mount is busy, and end.",
    ),
    ("SIGHUP", "Look at the sources again."),
    ("SIGUSR1", "Log statistics."),
    (
        "SIGINT, SIGTERM, SIGHUP to convert",
        "Remove the unfinished output, and end with 1.",
    ),
];

const EXIT_STATUS: Entries = &[
    ("0", "Success. A mount in the background answers by then."),
    (
        "1",
        "Something asked for did not work; each failure is named on stderr.",
    ),
    ("2", "The arguments make no sense."),
    (
        "3",
        "The file is no disc image, or is damaged or incomplete, or needs what plainiso does not do.",
    ),
    ("4", "The mountpoint cannot be used."),
    (
        "5",
        "FUSE is not there or refuses, or a permission is missing.",
    ),
    (
        "1, 32",
        "As helper of mount(8): wrong usage, and a mount that did not work.",
    ),
];

const ENVIRONMENT: Entries = &[
    ("PLAINISO_PASSWORD", "The password of encrypted images."),
    (
        "RUST_LOG",
        "What to log, such as debug or plainiso=debug,warn. Wins over -v, -q and -d.",
    ),
    (
        "NO_COLOR",
        "When set, help and usage messages have no colours.",
    ),
    (
        "MALLOC_MMAP_THRESHOLD_, MALLOC_TRIM_THRESHOLD_, MALLOC_ARENA_MAX, GLIBC_TUNABLES",
        "Settings of glibc's allocator. A mount that finds none of them sets the limits of the first three to 32768, 65536 \
         and 2, so that what it frees goes back to the system.",
    ),
    (
        "NOTIFY_SOCKET",
        "Where systemd waits for READY=1 and STOPPING=1. In a service of Type=notify, mount with -f.",
    ),
];

const FILES: Entries = &[
    (
        "/etc/fuse.conf",
        "Must hold user_allow_other for users other than root who mount with allow_other.",
    ),
    (
        "/sbin/mount.plainiso",
        "A link to plainiso makes mount -t plainiso and the type plainiso in /etc/fstab work.",
    ),
    (
        "NAME.pwd",
        "Its text, without the line end, is the password of the image beside it.",
    ),
];

const EXAMPLES: Entries = &[
    (
        "plainiso mount ~/discs ~/plain",
        "Show a folder of compressed images as plain ones.",
    ),
    (
        "plainiso Game.cso /mnt",
        "Show a single image: /mnt/Game.iso.",
    ),
    ("plainiso umount ~/plain", "End it."),
    (
        "/srv/discs  /srv/plain  plainiso  ro,allow_other,nofail  0 0",
        "The same as a line of /etc/fstab; fuse.plainiso as type works without the link.",
    ),
    (
        "plainiso convert Game.iso --for ps2",
        "Write Game.zso for a PlayStation 2.",
    ),
    (
        "plainiso convert -r ~/discs --to cso --delete-source",
        "Pack a folder in place; each source goes when its output was compared with it.",
    ),
    (
        "plainiso cat Game.zso | sha256sum",
        "Sum up the plain bytes without unpacking.",
    ),
    (
        "plainiso extract --recursive ~/discs -o ~/isos",
        "Unpack a whole library; run it again to go on after an interruption.",
    ),
    (
        "plainiso verify --dat \"Sony - PlayStation 2.dat\" ~/discs",
        "Find out which discs of a library are good and known.",
    ),
];
