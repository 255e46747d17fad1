//! Comparing eight bytes at once.

/// Number of bytes from `a` and from `b` on that are equal, up to the end of `bytes`. `a` lies before `b`.
#[inline]
pub(super) fn common(bytes: &[u8], a: usize, b: usize) -> usize {
    let (first, second) = (&bytes[a..], &bytes[b..]);
    let mut len = 0;
    while let (Some(x), Some(y)) = (eight(first, len), eight(second, len)) {
        let difference = x ^ y;
        if difference != 0 {
            return len + (difference.trailing_zeros() / 8) as usize;
        }
        len += 8;
    }
    let rest = second[len..].iter().zip(&first[len..]);
    len + rest.take_while(|(x, y)| x == y).count()
}

#[inline]
fn eight(bytes: &[u8], at: usize) -> Option<u64> {
    let bytes = bytes.get(at..at + 8)?;
    Some(u64::from_le_bytes(bytes.try_into().ok()?))
}
