//! Lists that are needed while a folder is listed, and no longer.

/// More than what allocators may keep for later: glibc's limit is 32 MiB.
const ROOM: usize = 33 << 20;

/// A list that is soon dropped, and gives its memory back to the system then.
///
/// Allocators take a piece of memory as large as this from the system by itself; the pages of it that are not used
/// cost nothing. Of smaller pieces most would stay with the process: more than what the listing itself takes.
pub(super) fn passing<T>(elements: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut list = Vec::with_capacity(ROOM / size_of::<T>().max(1));
    list.extend(elements);
    list
}
