//! Which word was meant.

/// The candidate that differs from `word` by a slip or two; `None` when none is near.
pub(super) fn closest<'a>(
    word: &str,
    candidates: impl Iterator<Item = &'a str>,
) -> Option<&'a str> {
    // A short word is near to everything, so it may differ less.
    let most = match word.len() {
        0..3 => return None,
        3..6 => 1,
        _ => 2,
    };
    candidates
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(distance, _)| *distance <= most)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Letters to add, remove or change (Levenshtein's distance).
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.chars().enumerate() {
            let changed = diagonal + usize::from(from != to);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.chars().count()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_the_word_and_another_word_does_not() {
        let words = || ["allow_other", "allow_root", "uid", "gid"].into_iter();
        assert_eq!(closest("alow_other", words()), Some("allow_other"));
        assert_eq!(closest("allow-rot", words()), Some("allow_root"));
        assert_eq!(closest("uidd", words()), Some("uid"));
        assert_eq!(closest("compress", words()), None);
        assert_eq!(closest("x", words()), None);
    }

    #[test]
    fn the_distance_counts_letters() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("same", "same"), 0);
    }
}
