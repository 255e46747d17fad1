//! The reply buffer: one per thread, page-aligned, reused, because a fresh page costs more than filling it.

use std::cell::RefCell;

const PAGE: usize = 4096;

thread_local! {
    static BYTES: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Lends `len` bytes of this thread's buffer, starting on a page. They hold whatever the last user left.
pub(super) fn with<T>(len: usize, work: impl FnOnce(&mut [u8]) -> T) -> T {
    BYTES.with_borrow_mut(|bytes| {
        if bytes.len() < len + PAGE {
            *bytes = vec![0; len.next_power_of_two() + PAGE];
        }
        let start = bytes.as_ptr().addr().wrapping_neg() % PAGE;
        work(&mut bytes[start..][..len])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lent_buffer_starts_on_a_page_and_is_reused() {
        let first = with(10, |out| out.as_ptr().addr());
        let larger = with(1 << 20, |out| (out.len(), out.as_ptr().addr()));
        let smaller = with(4096, |out| out.as_ptr().addr());
        assert_eq!(first % PAGE, 0);
        assert_eq!(larger, (1 << 20, smaller));
    }
}
