//! Attributes, as the kernel takes them.

use fuser::{Errno, FileAttr, FileType, Generation, INodeNo, ReplyXattr};

use crate::fs::{Attributes, Kind};

/// What `stat` calls the best size for I/O. Not the request size: the kernel derives the width of an inode's blocks
/// from it, and C libraries allocate a buffer of this size for every open stream. Programs that copy choose more.
const IO_BLOCK: u32 = 4096;

pub(super) fn file_attr(attributes: &Attributes) -> FileAttr {
    let time = attributes.mtime;
    FileAttr {
        ino: INodeNo(attributes.ino),
        size: attributes.size,
        blocks: attributes.stored_size.div_ceil(512),
        atime: time,
        mtime: time,
        ctime: time,
        crtime: time,
        kind: file_type(attributes.kind),
        perm: attributes.mode,
        nlink: attributes.links,
        uid: attributes.uid,
        gid: attributes.gid,
        rdev: 0,
        blksize: IO_BLOCK,
        flags: 0,
    }
}

pub(super) fn generation(attributes: &Attributes) -> Generation {
    Generation(attributes.generation.into())
}

pub(super) fn file_type(kind: Kind) -> FileType {
    match kind {
        Kind::File => FileType::RegularFile,
        Kind::Directory => FileType::Directory,
        Kind::Link => FileType::Symlink,
    }
}

/// Sends an extended attribute's bytes, or only their number when `room` is 0.
pub(super) fn send_xattr(reply: ReplyXattr, bytes: &[u8], room: u32) {
    match u32::try_from(bytes.len()) {
        Ok(len) if room == 0 => reply.size(len),
        Ok(len) if len <= room => reply.data(bytes),
        _ => reply.error(Errno::ERANGE),
    }
}
