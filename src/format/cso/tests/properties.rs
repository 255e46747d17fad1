//! Whatever the writer and whatever is read: the slice of the plain bytes. Whatever is damaged: no panic.

use super::*;
use crate::format::tests::{image, opened, reads, reads_like, survives};

fn writer() -> impl Strategy<Value = Writer> {
    let tails = [Tail::Short, Tail::Padded, Tail::Stale];
    let finals = [Final::Up, Final::UpUnpadded, Final::Down];
    let sizes = [512, 2048, 2352, 4096, 6144, 16_384, 262_144];
    (
        prop_oneof![
            Just(Writer::cso()),
            Just(Writer::zso()),
            Just(Writer {
                version: 0,
                pack: headless_zlib,
                ..Writer::cso()
            }),
            Just(Writer {
                version: 2,
                ..Writer::cso()
            }),
        ],
        prop::sample::select(sizes.to_vec()),
        prop_oneof![Just(0_u8), 0_u8..12],
        prop::sample::select(vec![0_u8, b'X', 0xff]),
        (0_usize..100, 0_usize..3000, 0_usize..5),
        prop::sample::select(tails.to_vec()),
        prop::sample::select(finals.to_vec()),
        prop::sample::select(vec![0_u32, 24, 0x20_0000]),
    )
        .prop_map(
            |(
                base,
                block_size,
                shift,
                filler,
                (gap, trailing, store_every),
                tail,
                last,
                header,
            )| {
                let newer = base.version == 2;
                Writer {
                    block_size,
                    shift,
                    filler,
                    gap,
                    trailing,
                    store_every,
                    // Version 2 has one writer, which does what the format says.
                    tail: if newer { Tail::Padded } else { tail },
                    last: if newer { Final::Up } else { last },
                    header_size: if newer { 24 } else { header },
                    ..base
                }
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn any_read_equals_the_slice(
        writer in writer(),
        len in 1_usize..60_000,
        reads in reads(61_000),
    ) {
        let plain = patterned(len);
        let image = image(opened(writer.write(&plain)).unwrap());
        reads_like(&image, &plain, &reads)?;
    }

    #[test]
    fn damage_never_panics(
        writer in writer(),
        len in 1_usize..20_000,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        in_front in any::<bool>(),
        cut in any::<Option<prop::sample::Index>>(),
    ) {
        let mut file = writer.write(&patterned(len));
        for (place, byte) in changes {
            let within = if in_front { file.len().min(64) } else { file.len() };
            file[place.index(within)] = byte;
        }
        if let Some(cut) = cut {
            file.truncate(cut.index(file.len()));
        }
        let _ = format::probe(&file, "x.cso".as_ref());
        survives(opened(file))?;
    }
}
