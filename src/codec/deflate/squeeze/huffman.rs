//! Prefix codes.

/// The lengths of an optimal code for symbols used so often, none longer than `limit`. What is not used has 0.
pub(super) fn code_lengths<const N: usize>(counts: &[u32; N], limit: u8) -> [u8; N] {
    let mut counts = *counts;
    loop {
        let lens = unlimited(&counts);
        if lens.iter().all(|&len| len <= limit) {
            return lens;
        }
        // Counts that are nearer to each other give a flatter tree.
        for count in counts.iter_mut().filter(|count| **count > 0) {
            *count = *count / 2 + 1;
        }
    }
}

/// Huffman's lengths, by his method with two queues: leaves by their counts, and nodes in the order of their making.
fn unlimited<const N: usize>(counts: &[u32; N]) -> [u8; N] {
    let mut lens = [0; N];
    let mut leaves = [(0_u32, 0_usize); N];
    let mut used = 0;
    for (symbol, &count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
        leaves[used] = (count, symbol);
        used += 1;
    }
    let leaves = &mut leaves[..used];
    if let [(_, symbol)] = leaves {
        lens[*symbol] = 1;
    }
    if used < 2 {
        return lens;
    }
    leaves.sort_unstable();
    // Nodes 0..used are the leaves, and each later one joins the two cheapest before it.
    let mut weights = [0_u32; 600];
    let mut parents = [0_usize; 600];
    for (weight, (count, _)) in weights.iter_mut().zip(leaves.iter()) {
        *weight = *count;
    }
    let (mut leaf, mut node) = (0, used);
    for made in used..2 * used - 1 {
        for _ in 0..2 {
            let cheapest = if leaf < used && (node == made || weights[leaf] <= weights[node]) {
                leaf += 1;
                leaf - 1
            } else {
                node += 1;
                node - 1
            };
            weights[made] += weights[cheapest];
            parents[cheapest] = made;
        }
    }
    let mut depths = [0_u8; 600];
    for made in (0..2 * used - 2).rev() {
        depths[made] = depths[parents[made]] + 1;
    }
    for (place, (_, symbol)) in leaves.iter().enumerate() {
        lens[*symbol] = depths[place];
    }
    lens
}

/// The codes that belong to lengths, as deflate numbers them; their bits are turned round, the first one lowest.
pub(super) fn codes<const N: usize>(lens: &[u8; N]) -> [u16; N] {
    let mut next = [0_u16; 17];
    let mut of_len = [0_u16; 17];
    for &len in lens.iter().filter(|len| **len > 0) {
        of_len[usize::from(len)] += 1;
    }
    for len in 1..16 {
        next[len + 1] = (next[len] + of_len[len]) << 1;
    }
    let mut codes = [0; N];
    for (code, &len) in codes.iter_mut().zip(lens) {
        if len > 0 {
            *code = next[usize::from(len)].reverse_bits() >> (16 - len);
            next[usize::from(len)] += 1;
        }
    }
    codes
}
