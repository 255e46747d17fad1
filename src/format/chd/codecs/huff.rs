//! Bytes in a Huffman code of their own.

use crate::format::chd::{
    bits::Bits,
    huffman::{Code, Fault},
};

pub(super) fn decode(src: &[u8], dst: &mut [u8]) -> Result<(), Fault> {
    let mut bits = Bits::new(src);
    let code = Code::read_coded(&mut bits)?;
    for byte in dst {
        *byte = u8::try_from(code.next(&mut bits)?).expect("there are 256 symbols");
    }
    if bits.is_overrun() {
        return Err("it ends too early");
    }
    Ok(())
}
