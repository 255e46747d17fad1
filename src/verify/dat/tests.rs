use proptest::{collection::vec, prelude::*, sample::Index};

use super::*;

const DAT: &str = r#"<?xml version="1.0"?>
<!DOCTYPE datafile PUBLIC "-//Logiqx//DTD ROM Management Datafile//EN" "http://www.logiqx.com/Dats/datafile.dtd">
<datafile>
  <header><name>Console &amp; Co &#38; more</name><version>1</version></header>
  <game name="Racer &lt;Europe&gt;">
    <category>Games</category>
    <rom name="Racer.cue" size="91" crc="00000001"/>
    <rom name="Racer.iso" size="4096" crc="AABBCCDD" md5="0123" sha1="4567"/>
  </game>
  <machine name="No dump"><rom name="x.iso" size="4096" status="nodump"></rom></machine>
  <machine name="Sizeless"><rom name="y.iso" sha1="89ab"/></machine>
</datafile>
"#;

fn report(size: u64, hashes: &[(Algorithm, &str)]) -> Report {
    Report {
        size,
        hashes: hashes
            .iter()
            .map(|(algorithm, hash)| (*algorithm, (*hash).into()))
            .collect(),
        checks: Vec::new(),
        blocks_with_checksum: std::collections::BTreeMap::new(),
        damage: Vec::new(),
        damaged_blocks: 0,
        damaged_bytes: 0,
        knows_all_files: true,
    }
}

fn found(size: u64, hashes: &[(Algorithm, &str)]) -> Vec<String> {
    let dat = Dat::read(DAT.as_bytes()).unwrap();
    let found = dat.find(&report(size, hashes));
    found.iter().map(|known| known.disc.to_string()).collect()
}

fn refusal(xml: &str) -> String {
    Dat::read(xml.as_bytes()).unwrap_err().to_string()
}

#[test]
fn names_are_read_with_their_entities() {
    let dat = Dat::read(DAT.as_bytes()).unwrap();
    assert_eq!(dat.name(), "Console & Co & more");
    assert_eq!(dat.files[1].file, "Racer.iso");
}

#[test]
fn a_disc_is_found_by_size_and_every_hash_that_both_know() {
    use Algorithm::{Crc32, Md5, Sha1, Sha256};
    let racer = "Racer <Europe>";
    assert_eq!(found(4096, &[(Crc32, "aabbccdd")]), [racer]);
    let all = [(Crc32, "aabbccdd"), (Md5, "0123"), (Sha1, "4567")];
    assert_eq!(found(4096, &all), [racer]);
    assert!(found(4096, &[(Crc32, "aabbccdd"), (Md5, "0124")]).is_empty());
    assert!(found(4097, &all).is_empty());
    assert!(found(4096, &[(Sha256, "aabbccdd")]).is_empty());
    assert!(found(4096, &[]).is_empty());
    assert_eq!(found(1, &[(Sha1, "89ab")]), ["Sizeless"]);
}

#[test]
fn rejects_what_is_no_dat() {
    for xml in [
        "",
        "PK\u{3}\u{4}",
        "<html><body/></html>",
        "<datafile><game name='x'>",
        "<datafile></game></datafile>",
        "<datafile><game name='&lol;'/></datafile>",
        "<datafile><game name='x'><rom size='-1'/></game></datafile>",
    ] {
        let why = refusal(xml);
        assert!(why.starts_with("this is no DAT file"), "{xml}: {why}");
    }
}

#[test]
fn rejects_an_element_that_does_not_end() {
    let long = format!("<datafile><game name='{}'/></datafile>", "x".repeat(70_000));
    assert!(refusal(&long).contains("too long"));
}

#[test]
fn rejects_elements_without_end_in_each_other() {
    let deep = "<datafile>".to_owned() + &"<a>".repeat(100_000);
    assert!(refusal(&deep).contains("deep in each other"));
}

#[test]
fn rejects_a_file_that_does_not_end() {
    let mut reader = Limited::new(&[b' '; 1000][..], 2000, 500);
    let mut all = Vec::new();
    let err = std::io::Read::read_to_end(&mut reader, &mut all).unwrap_err();
    assert_eq!(err.to_string(), "it is too long");
    assert_eq!(all.len(), 500);
}

#[test]
fn entities_are_never_expanded() {
    let bomb = r#"<!DOCTYPE d [<!ENTITY a "xxxx"><!ENTITY b "&a;&a;">]>
        <datafile><game name="&b;"/></datafile>"#;
    assert!(refusal(bomb).starts_with("this is no DAT file"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn damage_never_panics(damage in vec((any::<Index>(), any::<u8>()), 1..8), cut in any::<Index>()) {
        let mut bytes = DAT.as_bytes().to_vec();
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(bytes.len() - cut.index(bytes.len()) / 4);
        if let Ok(dat) = Dat::read(&bytes[..]) {
            prop_assert!(dat.files.len() <= 8);
        }
    }
}
