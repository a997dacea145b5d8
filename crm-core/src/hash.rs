//! FNV-1a (Fowler, Noll, Vo; IETF draft-eastlake-fnv): a stable hash for values that are stored.
//!
//! It is no protection against an attacker who wants two inputs to collide.

/// 64 bits over `parts`, each closed by its length so that parts cannot run into each other.
pub(crate) fn fnv64(parts: &[&[u8]]) -> u64 {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
    parts.iter().fold(0xcbf2_9ce4_8422_2325, |hash, part| {
        let hash = part.iter().copied().fold(hash, step);
        (part.len() as u64).to_le_bytes().into_iter().fold(hash, step)
    })
}

/// 128 bits over `parts`, each closed by its length.
pub(crate) fn fnv128(parts: &[&[u8]]) -> u128 {
    let step = |hash: u128, byte: u8| {
        (hash ^ u128::from(byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b)
    };
    parts.iter().fold(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d, |hash, part| {
        let hash = part.iter().copied().fold(hash, step);
        (part.len() as u64).to_le_bytes().into_iter().fold(hash, step)
    })
}
