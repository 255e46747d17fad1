//! Handles, as a server of NFS gives them to its clients, who keep them: each leads to the bytes of the file for which
//! it was given, or is stale.

#![cfg(target_os = "linux")]

mod common;
mod library;

use std::{
    fs::{self, File},
    io::Write,
    path::Path,
    process::Command,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use common::eventually;
use library::{Mount, cso, fuse_is_there, noise, succeed};

/// Prints the handle of a file, what is read by a handle, or what reading by handles over and over found; an error of
/// the operating system is its exit code.
const PROGRAM: &str = r#"
import ctypes, os, sys

class Handle(ctypes.Structure):
    _fields_ = [("size", ctypes.c_uint), ("kind", ctypes.c_int), ("body", ctypes.c_ubyte * 128)]

libc = ctypes.CDLL(None, use_errno=True)

def checked(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), "")
    return result

def handle_of(path):
    handle, mount = Handle(size=128), ctypes.c_int()
    here = -100
    checked(libc.name_to_handle_at(here, os.fsencode(path), ctypes.byref(handle), ctypes.byref(mount), 0))
    return "%d:%s" % (handle.kind, bytes(handle.body[:handle.size]).hex())

def read(mount, handle):
    kind, body = handle.split(":")
    body = bytes.fromhex(body)
    handle = Handle(size=len(body), kind=int(kind))
    handle.body[:len(body)] = body
    folder = os.open(mount, os.O_RDONLY)
    try:
        file = checked(libc.open_by_handle_at(folder, ctypes.byref(handle), os.O_RDONLY))
    finally:
        os.close(folder)
    with os.fdopen(file, "rb") as file:
        return file.read()

def watch(mount, path, rounds):
    contents = {}
    for _ in range(int(rounds)):
        try:
            handle = handle_of(path)
            for _ in range(2):
                content = set(read(mount, handle))
                before = contents.setdefault(handle, content)
                if len(content) != 1 or content != before:
                    sys.exit("%s gave %s, and before that %s" % (handle, content, before))
        except OSError as err:
            if err.errno != 116:
                raise
    print(len(contents))

try:
    if sys.argv[1] == "of":
        print(handle_of(sys.argv[2]))
    elif sys.argv[1] == "read":
        sys.stdout.buffer.write(read(*sys.argv[2:]))
    else:
        watch(*sys.argv[2:])
except OSError as err:
    sys.exit(err.errno)
"#;

fn python(arguments: &[&str]) -> Command {
    let mut command = Command::new("python3");
    command.arg("-c").arg(PROGRAM).args(arguments);
    command
}

fn handle_of(path: &Path) -> String {
    let printed = succeed(&mut python(&["of", path.to_str().unwrap()])).stdout;
    String::from_utf8(printed).unwrap().trim_end().into()
}

/// What is read by a handle, or the number of the error.
fn read(mount: &Mount, handle: &str) -> Result<Vec<u8>, i32> {
    let mut reading = python(&["read", mount.path().to_str().unwrap(), handle]);
    let output = reading.output().unwrap();
    match output.status.code() {
        Some(0) => Ok(output.stdout),
        code => Err(code.unwrap_or(-1)),
    }
}

const STALE: Result<Vec<u8>, i32> = Err(libc::ESTALE);

fn exported(library: &Path) -> Mount {
    Mount::with(library, &["-o", "nfs_export"])
}

/// One test at a time: what one makes the kernel forget is forgotten for all, and the file that has a number of its own
/// as long as the kernel knows the one before it gets another then.
static CACHES: Mutex<()> = Mutex::new(());

/// The kernel's caches, where handles can be used.
fn caches() -> Option<MutexGuard<'static, ()>> {
    if !fuse_is_there() {
        return None;
    }
    let why = if !rustix::process::geteuid().is_root() {
        "it takes root to open by handle"
    } else if python(&["of", "/"]).output().is_err() {
        "python3 is not installed"
    } else {
        return Some(CACHES.lock().unwrap_or_else(PoisonError::into_inner));
    };
    eprintln!("left out: {why}");
    None
}

/// Makes the kernel forget the inodes that nobody uses, where it lets us.
fn forget() {
    if let Err(why) = fs::write("/proc/sys/vm/drop_caches", "2") {
        eprintln!("left out: the kernel does not forget on demand ({why})");
    }
}

fn image(plain: &[u8]) -> Vec<u8> {
    let blocks = plain.chunks(2048).map(<[u8]>::to_vec);
    cso(plain.len() as u64, 2048, blocks)
}

/// A file of the library: its stored and its shown name, and what it becomes.
struct Case {
    stored: &'static str,
    shown: &'static str,
    pack: fn(&[u8]) -> Vec<u8>,
}

const CASES: [Case; 2] = [
    Case {
        stored: "a/b/Game.cso",
        shown: "a/b/Game.iso",
        pack: image,
    },
    Case {
        stored: "a/b/plain.bin",
        shown: "a/b/plain.bin",
        pack: <[u8]>::to_vec,
    },
];

impl Case {
    /// Another file takes the name in one step.
    fn put(&self, library: &Path, plain: &[u8]) {
        let stored = library.join(self.stored);
        fs::create_dir_all(stored.parent().unwrap()).unwrap();
        fs::write(library.join("new"), (self.pack)(plain)).unwrap();
        fs::rename(library.join("new"), stored).unwrap();
    }
}

#[test]
fn a_handle_leads_to_its_bytes_when_the_kernel_forgot_it_and_after_a_restart() {
    let Some(_caches) = caches() else { return };
    let library = tempfile::tempdir().unwrap();
    for case in &CASES {
        case.put(library.path(), &noise(50_000));
    }
    let mut mount = exported(library.path());
    let handles = CASES.map(|case| handle_of(&mount.path().join(case.shown)));
    let folder = handle_of(&mount.path().join("a/b"));
    let all_are_right = |mount: &Mount| {
        for handle in &handles {
            assert_eq!(read(mount, handle), Ok(noise(50_000)), "{handle}");
        }
    };
    all_are_right(&mount);
    forget();
    all_are_right(&mount);
    for _ in 0..2 {
        drop(mount);
        mount = exported(library.path());
        all_are_right(&mount);
    }
    let now = CASES.map(|case| handle_of(&mount.path().join(case.shown)));
    assert_eq!(now, handles);
    assert_eq!(handle_of(&mount.path().join("a/b")), folder);
}

/// What happens between the replacement of a file and the use of its handle.
#[derive(Clone, Copy, Debug)]
enum Since {
    Nothing,
    SomebodyLooked,
    TheKernelForgot,
    Restart,
}

#[test]
fn a_handle_of_a_file_that_was_replaced_is_stale_and_never_gives_other_bytes() {
    let Some(_caches) = caches() else { return };
    let all = [
        Since::Nothing,
        Since::SomebodyLooked,
        Since::TheKernelForgot,
        Since::Restart,
    ];
    for since in all {
        let library = tempfile::tempdir().unwrap();
        for case in &CASES {
            case.put(library.path(), &vec![1; 50_000]);
        }
        let mut mount = exported(library.path());
        for case in CASES {
            let shown = |mount: &Mount| mount.path().join(case.shown);
            let old = handle_of(&shown(&mount));
            assert_eq!(read(&mount, &old), Ok(vec![1; 50_000]));
            case.put(library.path(), &vec![2; 60_000]);
            match since {
                Since::Nothing => {}
                Since::SomebodyLooked => eventually("the new size", || {
                    fs::metadata(shown(&mount)).unwrap().len() == 60_000
                }),
                Since::TheKernelForgot => forget(),
                Since::Restart => {
                    drop(mount);
                    mount = exported(library.path());
                }
            }
            let what = format!("{since:?}: {}", case.shown);
            assert_eq!(read(&mount, &old), STALE, "{what}");
            assert_eq!(fs::read(shown(&mount)).unwrap(), vec![2; 60_000], "{what}");
            assert_eq!(read(&mount, &old), STALE, "{what}");
            let new = handle_of(&shown(&mount));
            assert_eq!(read(&mount, &new), Ok(vec![2; 60_000]), "{what}");
            fs::remove_file(library.path().join(case.stored)).unwrap();
            assert_eq!(read(&mount, &new), STALE, "{what}");
        }
    }
}

#[test]
fn a_handle_of_a_plain_file_stays_good_when_the_file_grows() {
    let Some(_caches) = caches() else { return };
    let library = tempfile::tempdir().unwrap();
    fs::write(library.path().join("log"), b"one").unwrap();
    let mut mount = exported(library.path());
    let handle = handle_of(&mount.path().join("log"));
    assert_eq!(read(&mount, &handle), Ok(b"one".to_vec()));
    let mut log = File::options()
        .append(true)
        .open(library.path().join("log"))
        .unwrap();
    log.write_all(b" two").unwrap();
    // The kernel believes in the size that it knows for a second.
    eventually("what was added", || {
        read(&mount, &handle).unwrap() == b"one two"
    });
    drop(mount);
    mount = exported(library.path());
    assert_eq!(read(&mount, &handle), Ok(b"one two".to_vec()));
}

#[test]
fn one_handle_gives_one_content_while_its_file_is_replaced_again_and_again() {
    let Some(_caches) = caches() else { return };
    for case in CASES {
        let library = tempfile::tempdir().unwrap();
        case.put(library.path(), &vec![0; 20_000]);
        let mount = exported(library.path());
        let shown = mount.path().join(case.shown);
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                for content in (0..=u8::MAX).cycle() {
                    if is_over.load(Ordering::Relaxed) {
                        break;
                    }
                    case.put(library.path(), &vec![content; 20_000]);
                    thread::yield_now();
                }
            });
            let at = mount.path().to_str().unwrap();
            let watched = python(&["watch", at, shown.to_str().unwrap(), "200"]).output();
            is_over.store(true, Ordering::Relaxed);
            let watched = watched.unwrap();
            let said = String::from_utf8_lossy(&watched.stderr);
            assert!(watched.status.success(), "{}: {said}", watched.status);
        });
    }
}

#[test]
fn a_mount_that_is_not_for_nfs_gives_no_handles() {
    let Some(_caches) = caches() else { return };
    let library = tempfile::tempdir().unwrap();
    fs::write(library.path().join("x"), b"1").unwrap();
    let mount = Mount::of(library.path());
    let output = python(&["of", mount.path().join("x").to_str().unwrap()]).output();
    match output.unwrap().status.code() {
        Some(libc::EOPNOTSUPP) => {}
        Some(0) => eprintln!("left out: the kernel gives handles of everything (before Linux 6.9)"),
        other => panic!("{other:?}"),
    }
}
