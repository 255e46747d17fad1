use std::{
    convert::Infallible,
    panic::{self, AssertUnwindSafe},
    sync::atomic::Ordering,
};

use super::*;
use crate::{format::Details, image::handmade::Handmade};

fn plain(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i / 7 % 251) as u8).collect()
}

fn image(blocks: Handmade) -> Image {
    let plain = plain(usize::try_from(blocks.geometry.size()).unwrap());
    blocks.image(plain, Details::default(), 0)
}

fn uniform(size: u64, block_size: u32) -> Geometry {
    Geometry::Uniform { size, block_size }
}

fn workers(n: usize) -> NonZero<usize> {
    NonZero::new(n).unwrap()
}

/// All bytes from a block on, with the numbers of damaged blocks.
fn collect(image: &Image, first_block: u64, threads: usize) -> (Vec<u8>, Vec<u64>) {
    let (mut bytes, mut damaged) = (Vec::new(), Vec::new());
    let stream = Stream::of(image).from_block(first_block);
    let Ok(()) = stream.workers(workers(threads)).in_order(|piece| {
        bytes.extend_from_slice(piece.plain());
        damaged.extend(piece.damage().iter().map(|damage| damage.block));
        Ok::<(), Infallible>(())
    });
    (bytes, damaged)
}

#[test]
fn every_geometry_arrives_whole_and_in_order() {
    let table = [0, 1, 4096, 3 << 20, (3 << 20) + 5, 7_000_001];
    for geometry in [
        uniform(1, 2048),
        uniform(5_000_001, 2048),
        uniform(5_000_001, 3000),
        uniform(5_000_001, 4 << 20),
        uniform(70_000, 7),
        Geometry::Table(table.into()),
    ] {
        let whole = plain(usize::try_from(geometry.size()).unwrap());
        let image = image(Handmade::new(geometry));
        for threads in [1, 2, 5] {
            assert!(collect(&image, 0, threads) == (whole.clone(), vec![]));
        }
    }
}

#[test]
fn a_run_may_begin_at_any_block() {
    let image = image(Handmade::new(uniform(3_000_001, 2048)));
    let whole = plain(3_000_001);
    for first in [0, 1, 511, 1464, 1465, u64::MAX] {
        let from = usize::try_from(first).unwrap().saturating_mul(2048);
        let rest = whole.get(from..).unwrap_or_default().to_vec();
        assert!(collect(&image, first, 2) == (rest, vec![]), "{first}");
    }
}

#[test]
fn a_damaged_block_costs_only_itself() {
    let missing = vec![0, 700, 701, 1464];
    let image = image(Handmade {
        missing: missing.clone(),
        ..Handmade::new(uniform(3_000_001, 2048))
    });
    let mut whole = plain(3_000_001);
    for &block in &missing {
        let from = usize::try_from(block).unwrap() * 2048;
        let end = whole.len().min(from + 2048);
        whole[from..end].fill(0);
    }
    assert!(collect(&image, 0, 2) == (whole, missing));
}

#[test]
fn damage_names_its_place_and_reason() {
    let image = image(Handmade {
        missing: vec![2],
        ..Handmade::new(uniform(5000, 2048))
    });
    let Ok(()) = Stream::of(&image).in_order(|mut piece| {
        let damage = piece.take_damage().remove(0);
        assert_eq!(damage.bytes, 4096..5000);
        let why = damage.error.to_string();
        assert!(why.starts_with("block 2 (image offset 4096)"), "{why}");
        Ok::<(), Infallible>(())
    });
}

#[test]
fn a_consumer_that_fails_ends_the_run_and_the_workers() {
    let blocks = Handmade::new(uniform(200 << 20, 1 << 20));
    let decodes = Arc::clone(&blocks.decodes);
    let image = image(blocks);
    let mut seen = 0;
    let ended = Stream::of(&image).workers(workers(3)).in_order(|_| {
        seen += 1;
        if seen == 5 { Err("enough") } else { Ok(()) }
    });
    assert_eq!((ended, seen), (Err("enough"), 5));
    assert!(decodes.load(Ordering::Relaxed) <= 5 + 10 + 3);
}

#[test]
fn workers_wait_for_a_consumer_that_keeps_pieces() {
    let blocks = Handmade::new(uniform(60 << 20, 1 << 20));
    let decodes = Arc::clone(&blocks.decodes);
    let image = image(blocks);
    let (mut kept, mut handed_over) = (Vec::new(), 0);
    let Ok(()) = Stream::of(&image).workers(workers(2)).in_order(|piece| {
        kept.push(piece);
        handed_over += 1;
        // There are eight buffers, and none came back before the eighth piece was dropped.
        assert!(handed_over > 8 || decodes.load(Ordering::Relaxed) <= 8);
        if kept.len() == 8 {
            kept.clear();
        }
        Ok::<(), Infallible>(())
    });
    assert_eq!(handed_over, 60);
}

#[test]
fn a_worker_that_panics_does_not_leave_the_others_waiting() {
    let image = image(Handmade {
        panics: Some(3),
        ..Handmade::new(uniform(60 << 20, 1 << 20))
    });
    let run = || collect(&image, 0, 2);
    assert!(panic::catch_unwind(AssertUnwindSafe(run)).is_err());
}
