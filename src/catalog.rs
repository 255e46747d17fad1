//! Folders of stored files, and the plain names that stand for them.
