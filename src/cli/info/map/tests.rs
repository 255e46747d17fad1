use std::sync::Arc;

use super::*;
use crate::{
    cache::BlockCache,
    format::{Details, FORMATS, Opened},
    map::{BlockMap, Geometry, Stored},
};

/// Blocks of 1000 bytes: each a codec and how much it takes.
#[derive(Debug)]
struct Blocks {
    geometry: Geometry,
    blocks: Vec<(Codec, u32)>,
}

impl BlockMap for Blocks {
    fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    fn locate(&self, block: u64) -> Stored {
        let (codec, len) = self.blocks[usize::try_from(block).unwrap()];
        Stored { at: 0, len, codec }
    }
}

/// The last block lacks `cut` bytes.
fn image(blocks: &[(Codec, u32)], cut: u64) -> Image {
    let geometry = Geometry::Uniform {
        size: blocks.len() as u64 * 1000 - cut,
        block_size: 1000,
    };
    let opened = Opened {
        format: FORMATS[0],
        source: Arc::new(Vec::new()),
        map: Box::new(Blocks {
            geometry,
            blocks: blocks.to_vec(),
        }),
        details: Details::default(),
    };
    Image::new(opened, Arc::new(BlockCache::new(0)))
}

const STORED: (Codec, u32) = (Codec::Raw, 1000);
const ZERO: (Codec, u32) = (Codec::Zero, 0);
const MISSING: (Codec, u32) = (Codec::Missing, 0);

#[test]
fn cells_tile_the_image_whatever_their_number() {
    let blocks = [STORED, ZERO, MISSING, (Codec::Lz4, 500)].repeat(25);
    let image = image(&blocks, 300);
    for count in [1, 3, 7, 99, 100, 5000] {
        let cells = cells(&image, count);
        assert_eq!(cells.len() as u64, count.min(100));
        let sum = |of: fn(&Cell) -> u64| cells.iter().map(of).sum::<u64>();
        assert_eq!(sum(|it| it.plain), 99_700);
        assert_eq!(sum(|it| it.zero), 25_000);
        assert_eq!(sum(|it| it.raw), 25_000);
        assert_eq!(sum(|it| it.missing), 25_000);
    }
}

#[test]
fn each_kind_has_its_sign() {
    let deflate = |len| (Codec::Deflate, len);
    let blocks = [
        STORED,
        ZERO,
        MISSING,
        deflate(1),
        deflate(500),
        deflate(999),
        deflate(2000),
    ];
    let map = text(&image(&blocks, 0), 80);
    assert_eq!(map.lines().next().unwrap(), "        0  █·!▁▄▇▇");
}

#[test]
fn a_map_fits_in_its_columns_and_missing_blocks_always_show() {
    let mut blocks = vec![(Codec::Deflate, 300); 50_000];
    blocks[40_000] = MISSING;
    for columns in [1, 40, 80, 200] {
        let map = text(&image(&blocks, 300), columns);
        let rows: Vec<&str> = map.lines().filter(|line| !line.contains("zero")).collect();
        assert_eq!(rows.len(), 16);
        let width = |row: &&str| row.chars().count();
        assert!(rows.iter().map(width).max().unwrap() <= columns.max(21));
        assert_eq!(rows.concat().matches('!').count(), 1);
        assert!(rows[1].trim_start().starts_with("3051 KiB"), "{}", rows[1]);
    }
}

#[test]
fn the_drawing_is_xml_and_its_cells_are_the_image() {
    let blocks = [STORED, ZERO, MISSING, (Codec::Lz4, 500)].repeat(25);
    let drawing = svg(&image(&blocks, 300), "a <b> & c");
    let mut xml = quick_xml::Reader::from_str(&drawing);
    let (mut plain, mut names) = (0, Vec::new());
    loop {
        match xml.read_event().unwrap() {
            quick_xml::events::Event::Eof => break,
            quick_xml::events::Event::Text(text) => names.push(text.decode().unwrap().into_owned()),
            _ => {}
        }
    }
    for title in names
        .iter()
        .filter_map(|text| text.split_once(" bytes at "))
    {
        plain += title.0.parse::<u64>().unwrap();
    }
    assert_eq!(plain, 99_700);
    assert!(drawing.contains("<text x=\"4\" y=\"17\">a &lt;b&gt; &amp; c</text>"));
}
