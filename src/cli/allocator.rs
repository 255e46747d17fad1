//! How much freed memory the C library keeps for a mount, which lives for months.
//!
//! glibc takes large pieces from the system one by one, and gives them back when they are freed. But each time that
//! such a piece is freed, it takes pieces up to that size out of its heaps from then on, of which it has one for each
//! thread, and leaves twice as much at the end of each. Decoders free tables of many sizes on all threads, so heaps
//! grow to several times what is in use, and what lives long between them keeps them there. Limits that are set stay
//! as they are.

/// Sets limits, unless the user set some in the environment. To be called before there are threads.
pub(super) fn limit() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    if !glibc::is_set_by_user(|name| std::env::var_os(name).is_some()) && !glibc::limit() {
        log::debug!("the allocator did not take all limits");
    }
}

/// Gives back what was freed in the middle of heaps, where it stays for as long as something behind it is in use. To be
/// called when it is not needed again at once: fresh memory costs more than what lies ready.
pub(super) fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    glibc::give_back();
}

/// Other allocators give back large pieces.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod glibc {
    /// From the first size on, a piece is taken from the system by itself, and so many bytes as the second says may be
    /// left at the end of a heap. Beneath are the tables of bzip2 for blocks of up to 250 KiB: fresh memory for each
    /// block costs a sixth of the decoding. And so many heaps there are: threads that have their own cannot fill each
    /// other's holes.
    const LIMITS: [(libc::c_int, libc::c_int); 3] = [
        (libc::M_MMAP_THRESHOLD, 1 << 20),
        (libc::M_TRIM_THRESHOLD, 1 << 20),
        (libc::M_ARENA_MAX, 2),
    ];

    /// Where users set the same, and more.
    const VARIABLES: [&str; 4] = [
        "MALLOC_MMAP_THRESHOLD_",
        "MALLOC_TRIM_THRESHOLD_",
        "MALLOC_ARENA_MAX",
        "GLIBC_TUNABLES",
    ];

    pub(super) fn is_set_by_user(is_set: impl Fn(&str) -> bool) -> bool {
        VARIABLES.into_iter().any(is_set)
    }

    /// Whether all were taken. The environment could set them too, but a program in the foreground would have to start
    /// itself anew for that, which takes as long as mounting does.
    #[allow(unsafe_code)]
    pub(super) fn limit() -> bool {
        LIMITS.into_iter().all(|(name, value)| {
            // SAFETY: it takes two numbers and no pointer, knows which are valid, and locks what it changes.
            unsafe { libc::mallopt(name, value) == 1 }
        })
    }

    #[allow(unsafe_code)]
    pub(super) fn give_back() {
        // SAFETY: it takes a number and no pointer, locks what it changes, and touches nothing that is in use.
        unsafe { libc::malloc_trim(0) };
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn all_limits_are_known_to_the_allocator() {
            assert!(limit());
        }

        #[test]
        fn what_was_freed_between_pieces_in_use_goes_back() {
            let resident = || {
                let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
                let pages = pages.split(' ').nth(1).unwrap().parse::<u64>().unwrap();
                pages * rustix::param::page_size() as u64
            };
            // Pieces of a heap, not mapped one by one. Half of them stay, 64 MiB go; other tests take memory meanwhile.
            let goes_back = || {
                let mut pieces: Vec<_> = (0..4096).map(|_| vec![1_u8; 32 << 10]).collect();
                let mut number = 0;
                pieces.retain(|_| {
                    number += 1;
                    number % 2 == 0
                });
                let before = resident();
                give_back();
                let after = resident();
                assert!(pieces.iter().flatten().all(|&byte| byte == 1));
                after + (32 << 20) < before
            };
            assert!((0..20).any(|_| goes_back()));
        }

        #[test]
        fn what_the_user_set_is_left_alone() {
            assert!(!is_set_by_user(|_| false));
            for variable in VARIABLES {
                assert!(is_set_by_user(|name| name == variable), "{variable}");
            }
        }
    }
}
