//! The adaptor between the filesystem and the kernel.

pub mod session;
